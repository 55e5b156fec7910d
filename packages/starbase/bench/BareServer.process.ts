/** The least that a pull can cost on this HTTP server: the same route answers 304 and does nothing else. Argument: the port. */
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer, ManagedRuntime } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { serve } from "../../../bench/program.ts"

const headers = { etag: '"e0000000.5"', "cache-control": "no-store" }

const runtime = ManagedRuntime.make(
  HttpRouter.serve(
    HttpRouter.add(
      "GET",
      "/api/v1/clusters/:cluster_id/desired-state",
      HttpServerResponse.empty({ status: 304, headers })
    ),
    { disableLogger: true, disableListenLog: true }
  ).pipe(
    Layer.provide(
      NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: Number(process.argv[2]) })
    )
  )
)

await runtime.context()
serve({ cpu: () => process.cpuUsage() }, () => runtime.dispose())
