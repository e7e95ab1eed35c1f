/** A signing service that holds a key and accepts `eth_signTypedData_v4` as JSON-RPC, over real HTTP. */
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string }

/** Signs, unless the test gives an answer to send instead. */
export async function openSigner(fixedAnswer?: Answer) {
  const account = privateKeyToAccount(generatePrivateKey())
  const seen: { readonly method: string; readonly headers: IncomingHttpHeaders }[] = []
  const server = createServer(async (request, response) => {
    let text = ""
    for await (const part of request) text += part
    const { method, params, id } = JSON.parse(text)
    seen.push({ method, headers: request.headers })
    const sign = async () =>
      JSON.stringify({ jsonrpc: "2.0", id, result: await account.signTypedData(JSON.parse(params[1])) })
    response.writeHead(fixedAnswer?.status ?? 200, {
      "content-type": "application/json",
      ...fixedAnswer?.headers,
    })
    response.end(fixedAnswer ? fixedAnswer.body : await sign())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    account,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
