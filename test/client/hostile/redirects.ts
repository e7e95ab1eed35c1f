/** Redirects that would carry a token, payment, body or header to another origin. */
import { redirect } from "../../support/fake-origin.ts"
import { film, type Scenario, watch } from "./scenario.ts"

const mine = { cookie: "session=mine", "x-payment": "mine" }

const away = (status: number): Scenario => ({
  name: `a ${status} to another origin of a POST with a cookie (CLI-04)`,
  ends: "redirect_origin",
  arrange: ({ seller, foreign }) =>
    seller.always("POST /movies/7", redirect(`${foreign.url}/movies/7`, status)),
  act: (setting) => setting.client.fetch(film(setting), { method: "POST", body: "mine", headers: mine }),
})

const to = (name: string, ends: string, location: string): Scenario => ({
  name,
  ends,
  arrange: ({ seller }) => seller.always("GET /movies/7", redirect(location, 307)),
})

export const redirects: readonly Scenario[] = [
  ...[301, 302, 303, 307, 308].map(away),
  to("a redirect into a private network", "redirect_origin", "http://169.254.169.254/latest/meta-data/"),
  to("a redirect to another port", "redirect_origin", "http://127.0.0.1:1/"),
  to("a redirect to a file URL", "redirect_origin", "file:///etc/passwd"),
  to("a redirect to a javascript URL", "redirect_origin", "javascript:alert(1)"),
  to("a redirect to an empty host", "redirect_origin", "http://"),
  to("a redirect loop", "redirect_limit", "/movies/7"),
  {
    name: "a redirect to the same URL with a password",
    ends: "redirect_origin",
    arrange: ({ seller }) =>
      seller.always("GET /movies/7", redirect(seller.url.replace("//", "//user:secret@"), 302)),
  },
  {
    name: "a redirect of a call with a token (CLI-12)",
    ends: "redirect_origin",
    fair: 10_000n,
    async act(setting) {
      await watch(setting)
      setting.seller.always("GET /movies/7", redirect(`${setting.foreign.url}/movies/7`, 308))
      return watch(setting)
    },
  },
  {
    name: "a redirected payment (CLI-04)",
    ends: "answer_redirected",
    fair: 10_000n,
    arrange: ({ seller, foreign }) => seller.always("POST /token", redirect(`${foreign.url}/token`, 307)),
  },
  {
    name: "a redirected refresh (CLI-04)",
    ends: "refresh_refused",
    fair: 10_000n,
    async act(setting) {
      await watch(setting)
      setting.clock.now += 400
      setting.seller.always("POST /token", redirect(`${setting.foreign.url}/token`, 308))
      return watch(setting)
    },
  },
  {
    name: "a fetch that follows redirects and returns another origin's 402 (CLI-06)",
    ends: "foreign_challenge",
    options: () => ({ fetch: (input, init) => globalThis.fetch(input, { ...init, redirect: "follow" }) }),
    arrange: ({ seller, foreign }) => seller.always("GET /movies/7", redirect(`${foreign.url}/movies/7`)),
  },
]
