/** Serves the metrics in the text format of Prometheus. */
import { z } from "zod"
import { noStore } from "../http/respond.ts"
import type { Metrics } from "../ports/metrics.ts"
import { readQuery } from "./input.ts"
import type { AdminRoute } from "./routes.ts"

export const metricsRoutes = (metrics: Pick<Metrics, "text">): readonly AdminRoute[] => [
  {
    method: "GET",
    path: "/metrics",
    role: "read",
    async handle({ request }) {
      readQuery(request, z.strictObject({}))
      const headers = { ...noStore, "content-type": "text/plain; version=0.0.4; charset=utf-8" }
      return new Response(await metrics.text(), { headers })
    },
  },
]
