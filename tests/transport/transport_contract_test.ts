import { TcpListener } from "../../src/transport/tcp_listener.ts";
import { defaultListener } from "../support/world.ts";
import { transportContract } from "./contract.ts";

transportContract({
  name: "TCP",
  open: (broker) => {
    const listener = TcpListener.open({
      ...defaultListener,
      port: 0,
      address: "127.0.0.1",
      maxConnections: 0,
      globalMaxConnections: 0,
      noDelay: true,
    });
    listener.start(broker);
    const { port } = listener.address;
    return Promise.resolve({
      get connections() {
        return listener.connections;
      },
      dial: () => Deno.connect({ hostname: "127.0.0.1", port }),
      close: async () => {
        await listener.close();
        await listener.drain(0);
      },
    });
  },
});
