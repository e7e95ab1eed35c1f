/** Sends requests through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. */
import { codeOf } from "../node/private-file.ts"
import { CommandError } from "./failures.ts"

const names = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]
/** Of Node's parser, and of undici for a URL of another protocol. */
const wrongUrl = new Set(["ERR_INVALID_URL", "UND_ERR_INVALID_ARG"])

/**
 * The fetch of a command; undefined where the environment names no proxy, so that the global one is used. Throws a
 * {@link CommandError} for a proxy that cannot be used: without it requests would bypass the proxy without a word.
 */
export async function proxiedFetch(env: NodeJS.ProcessEnv): Promise<typeof globalThis.fetch | undefined> {
  if (!names.some((name) => env[name])) return undefined
  const { default: undici } = await import("undici").catch(() => {
    throw new CommandError(
      "HTTP_PROXY or HTTPS_PROXY is set, and the package for it is missing: npm i undici",
    )
  })
  try {
    const dispatcher = new undici.EnvHttpProxyAgent({
      httpProxy: env.http_proxy ?? env.HTTP_PROXY ?? "",
      httpsProxy: env.https_proxy ?? env.HTTPS_PROXY ?? "",
      noProxy: env.no_proxy ?? env.NO_PROXY ?? "",
      // Plain http is forwarded, because many proxies allow a tunnel to port 443 alone.
      proxyTunnel: false,
    })
    // Undici's own fetch, because the one of Node may be of another version than the dispatcher.
    const send = (input: unknown, init?: object): unknown =>
      undici.fetch(input as URL, { ...init, dispatcher })
    return send as typeof globalThis.fetch
  } catch (error) {
    if (!wrongUrl.has(codeOf(error))) throw error
    // Its own message quotes the URL, which may hold a password.
    throw new CommandError("HTTP_PROXY or HTTPS_PROXY is wrong: wanted the URL of a proxy.")
  }
}
