/** `@x402/axios` with its defaults, on an axios that treats every status of a paid call as an answer. */
import { wrapAxiosWithPayment, x402Client } from "@x402/axios"
import { ExactEvmScheme } from "@x402/evm/exact/client"
import axios, { AxiosHeaders } from "axios"
import type { Client } from "../client.ts"

export const x402Axios: Client = {
  name: "@x402/axios",
  open(account) {
    const client = new x402Client().register("eip155:*", new ExactEvmScheme(account))
    const paying = wrapAxiosWithPayment(axios.create(), client)
    return async (url, { method = "GET" } = {}) => {
      const { status, headers, data } = await paying.request({ url, method })
      return {
        status,
        headers: new Headers(
          AxiosHeaders.from(headers as AxiosHeaders).toJSON(true) as Record<string, string>,
        ),
        json: async () => data,
      }
    }
  },
}
