import CPeers
print(thread_cpu_nanoseconds())
