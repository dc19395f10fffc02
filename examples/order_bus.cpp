// SPDX-License-Identifier: MIT
// An order is placed; the stock, the mail and the statistics listen. Who places it knows none of them.

#include <leat/events.hpp>
#include <leat/loop.hpp>
#include <leat/timers.hpp>

#include <cstdio>
#include <map>
#include <string>

using namespace leat;

// [bus]
struct Order {
  int id;
  std::string item;
  int count;
};

using OrderBus = TypedEmitter<Event<"placed", Order>, Event<"taken", Order>,
                              Event<"refused", Order, std::string>, Event<"sent", int>>;
// [/bus]

// [listeners]
class Stock {
 public:
  explicit Stock(OrderBus& bus) : bus_(bus) {
    bus.on<"placed">([this](const Order& order) { take(order); });
  }

 private:
  void take(const Order& order) {
    int& left = left_[order.item];
    if (left < order.count) {
      bus_.emit<"refused">(order, "only " + std::to_string(left) + " left");
    } else {
      left -= order.count;
      bus_.emit<"taken">(order);
    }
  }
  OrderBus& bus_;
  std::map<std::string, int> left_{{"cup", 3}, {"pot", 1}};
};

// A listener may be a coroutine: the order is kept until it has ended.
Task<> sendMail(OrderBus& bus, Order order) {
  co_await sleep(5);
  std::printf("mail: order %d, %s\n", order.id, order.item.c_str());
  bus.emit<"sent">(order.id);
}
// [/listeners]

// [main]
Task<> shop() {
  OrderBus bus;
  Stock stock(bus);
  int placed = 0;
  int taken = 0;
  bus.on<"placed">([&placed] { ++placed; });
  bus.once<"placed">([] { std::printf("first order of the day\n"); });
  bus.on<"taken">([&taken] { ++taken; });
  bus.on<"taken">([&bus](const Order& order) { return sendMail(bus, order); });
  bus.on<"refused">([](const Order& order, const std::string& why) {
    std::printf("refused: order %d, %s\n", order.id, why.c_str());
  });

  auto mails = on<"sent">(bus);
  bus.emit<"placed">(Order{1, "cup", 2});
  bus.emit<"placed">(Order{2, "cup", 2});
  bus.emit<"placed">(Order{3, "pot", 1});
  std::printf("%d orders placed, %d taken\n", placed, taken);
  for (int i = 0; i < taken; ++i) {
    const auto mail = co_await mails.next();
    std::printf("sent: %d\n", std::get<0>(*mail));
  }
}
// [/main]

int main() { return run(shop); }
