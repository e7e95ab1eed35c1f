/** The example API: a small cinema whose films are seen with a ticket. */
import type { Express } from "express"
import { gate } from "../adapters/express.ts"
import type { Issuer } from "../app/issuer.ts"
import { scopesOf } from "../core/offers.ts"

const films = [
  "The Arrival of a Train",
  "A Trip to the Moon",
  "The Great Train Robbery",
  "The Cabinet of Dr. Caligari",
  "Nosferatu",
  "The Gold Rush",
  "Metropolis",
  "The General",
  "Steamboat Willie",
  "City Lights",
]

/** A route whose scope nobody can have is left out, because `gate` refuses it. */
export function mountExample(app: Express, issuer: Issuer): void {
  const { offers, whitelist } = issuer.config
  const scopes = scopesOf([...offers, ...whitelist])
  if (scopes.includes("movies:read")) mountFilms(app, issuer)
  if (scopes.includes("movies:write"))
    app.post("/movies", gate(issuer, "movies:write"), (_req, res) => {
      res.status(201).json({ accepted: true })
    })
  app.get("/", (_req, res) => {
    res.json({
      service: "ticket402 example cinema",
      films: films.length,
      watch: "GET /movies/{id} with a token of scope movies:read",
      offers: offers.map((offer) => offer.ref),
    })
  })
}

function mountFilms(app: Express, issuer: Issuer): void {
  app.get("/movies/:id", gate(issuer, "movies:read"), (req, res) => {
    const title = /^[1-9][0-9]?$/.test(String(req.params.id)) ? films[Number(req.params.id) - 1] : undefined
    if (title === undefined) {
      res.status(404).json({ error: "no_such_movie" })
      return
    }
    res.json({ id: Number(req.params.id), title, grant: res.locals.token.grant })
  })
}
