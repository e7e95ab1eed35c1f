/** The script of a browser page that buys with the page's wallet; in the bundle it gives the test a `buy`. */
import { createClient, createProviderSigner, type Provider, Ticket402Error } from "../../client/index.ts"

export type Order = { readonly url: string; readonly perPurchase: string; readonly method: string }
export type Outcome =
  | { readonly statuses: readonly number[]; readonly text: string; readonly day: string }
  | { readonly refused: string }

declare global {
  interface Window {
    ethereum: Provider
    buy(order: Order): Promise<Outcome>
  }
}

/** Makes three calls at once. */
window.buy = async ({ url, perPurchase, method }) => {
  const client = createClient({
    account: await createProviderSigner(window.ethereum),
    budget: { perPurchase, perDay: "1.00" },
    networks: ["eip155:11155111"],
    // A browser's fetch works only as a method of its window.
    fetch: window.fetch,
    resendSeconds: 1,
  })
  const body = method === "POST" ? "a long film" : null
  const call = (): Promise<Response> => client.fetch(url, { method, body })
  try {
    const answers = await Promise.all([call(), call(), call()])
    const texts = await Promise.all(answers.map((answer) => answer.text()))
    const { day } = await client.spent()
    return { statuses: answers.map(({ status }) => status), text: texts[0] ?? "", day }
  } catch (error) {
    return { refused: error instanceof Ticket402Error ? error.code : String(error) }
  }
}
