#include "/work/main/tests/order/order.hpp"
namespace order { std::vector<Case> readPrograms(const std::string&) { return {}; } }
