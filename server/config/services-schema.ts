/** Defines the key `services` of the configuration: proxied upstreams and their routes. */
import { z } from "zod"
import { proxiedMethods } from "../core/proxied-services.ts"
import { mostUnits } from "../core/units.ts"

const money = z.string().regex(/^[0-9.]{1,80}$/, 'wanted a decimal string such as "0.01"')
const text = z.string().min(1).max(1000)
const routeText = `(?:(?:${proxiedMethods.join("|")}) )?/(?:(?:[A-Za-z0-9._~$&'+,=@-]+|:[A-Za-z][A-Za-z0-9_]*)/)*(?:[A-Za-z0-9._~$&'+,=@-]+|:[A-Za-z][A-Za-z0-9_]*|[*])?`
const fieldName = /^[A-Za-z0-9!#$%&'+.^`|~-]{1,64}$/

const secretSchema = z.union(
  [z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().min(1) })],
  { error: 'wanted { "file": … } or { "env": … }' },
)

const description = text.optional()
export const routeShapes = {
  charge: z.strictObject({ charge: money, description }),
  session: z.strictObject({
    session: z.strictObject({ perCall: money, deposit: money }),
    description,
  }),
  scope: z.strictObject({
    scope: z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, "wanted one scope"),
    units: z.number().int().min(1).max(mostUnits).default(1),
    description,
  }),
}

const routeSchema = z.union([z.literal("free"), routeShapes.charge, routeShapes.session, routeShapes.scope], {
  error: 'wanted "free", { "charge": … }, { "session": { "perCall", "deposit" } } or { "scope", "units" }',
})

export const serviceSchema = z.strictObject({
  title: text.optional(),
  description,
  docs: z.url({ protocol: /^https?$/ }).optional(),
  baseUrl: z.url({ protocol: /^https?$/, error: "wanted an http(s) URL" }),
  bearer: secretSchema.optional(),
  headers: z
    .record(z.string().regex(fieldName, "wanted the name of a header, without _"), secretSchema)
    .default({}),
  routes: z
    .record(
      z
        .string()
        .regex(
          new RegExp(`^${routeText}$`),
          'wanted a method and a path such as "GET /v1/forecast/:city" or "/v1/*"',
        ),
      routeSchema,
    )
    .refine((routes) => Object.keys(routes).length > 0, "wanted at least one route"),
  allowPrivate: z.boolean().default(false),
  browser: z.boolean().default(false),
  timeoutSeconds: z.number().int().min(1).max(3600).default(60),
  idleSeconds: z.number().int().min(1).max(86_400).default(300),
  maxBodyBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(10_000_000),
  freeRequestsPerMinute: z.number().int().min(1).max(1_000_000).default(60),
})

export const servicesSchema = z.record(
  z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "wanted lower-case letters, digits and -, at most 63"),
  serviceSchema,
)
