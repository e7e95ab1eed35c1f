/** The example API: a small cinema whose films are seen with a ticket. */
import type { Express } from "express"
import { gate } from "../adapters/express.ts"
import type { Issuer } from "../app/issuer.ts"

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

export function mountExample(app: Express, issuer: Issuer): void {
  app.get("/", (_req, res) => {
    res.json({
      service: "ticket402 example cinema",
      films: films.length,
      watch: "GET /movies/{id} with a token of scope movies:read",
      offers: issuer.config.offers.map((offer) => offer.ref),
    })
  })
  app.get("/movies/:id", gate(issuer, "movies:read"), (req, res) => {
    const title = /^[1-9][0-9]?$/.test(String(req.params.id)) ? films[Number(req.params.id) - 1] : undefined
    if (title === undefined) {
      res.status(404).json({ error: "no_such_movie" })
      return
    }
    res.json({ id: Number(req.params.id), title, grant: res.locals.token.grant })
  })
  app.post("/movies", gate(issuer, "movies:write"), (_req, res) => {
    res.status(201).json({ accepted: true })
  })
}
