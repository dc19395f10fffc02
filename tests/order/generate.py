def program(n): return []
def text(p): return ""
