type Call = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** A port whose every call goes through `call` with its name. What is no function stays out of it. */
export function reached<Port extends object>(port: Port, call: Call): Port {
  const methods = Object.entries(port).filter(([, method]) => typeof method === 'function');
  return Object.fromEntries(
    methods.map(([name, method]) => [
      name,
      (...given: unknown[]) => call(name, async () => method(...given)),
    ]),
  ) as Port;
}
