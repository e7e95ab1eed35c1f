/** The entry of the scenario in workerd: one request runs it once. */
import { type HostOrder, runScenario } from "./host-scenario.ts"

// biome-ignore lint/style/noDefaultExport: the form of a worker
export default {
  async fetch(request: Request): Promise<Response> {
    try {
      return Response.json(await runScenario((await request.json()) as HostOrder))
    } catch (error) {
      return Response.json({ failed: String(error) }, { status: 500 })
    }
  },
}
