/** `ticket402/client/axios`: axios over a client, so that its requests pay. */
import { type AxiosAdapter, getAdapter, isAxiosError } from "axios"
import type { Fetch } from "../core/call.ts"
import { Ticket402Error } from "../core/errors.ts"

/**
 * An adapter: `axios.create({ adapter: createAdapter(client) })`. It is axios's own for fetch, so `timeout`, `signal`,
 * `responseType: "stream"` (a web stream), progress and `validateStatus` work as there, and agents, proxies and sockets
 * of Node's do not. Refusals of the client reach the caller as the {@link Ticket402Error}s they are; of redirects only those
 * within the origin are followed, none with `maxRedirects: 0`.
 */
export function createAdapter(client: { readonly fetch: Fetch }): AxiosAdapter {
  return async (config) => {
    const adapter = getAdapter("fetch", { ...config, env: { ...config.env, fetch: client.fetch } })
    try {
      return await adapter(config)
    } catch (error) {
      throw isAxiosError(error) && error.cause instanceof Ticket402Error ? error.cause : error
    }
  }
}
