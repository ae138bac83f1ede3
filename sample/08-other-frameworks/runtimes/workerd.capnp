# The worker on workerd, the runtime of Cloudflare's workers: `workerd serve workerd.capnp`. Elsewhere `wrangler dev` writes this.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = (
      modules = [(name = "worker", esModule = embed "build/worker.js")],
      compatibilityDate = "2026-01-01",
      bindings = [(name = "API_DOMAIN", fromEnvironment = "API_DOMAIN")],
      globalOutbound = "api",
    )),
    # The API of the demonstration is on the loopback, which workers may not call otherwise.
    (name = "api", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:3001", http = (), service = "worker")],
);
