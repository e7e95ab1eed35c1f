/** Hands failures of a handler to express, which waits for promises from version 5 on only. */
import type { NextFunction, Request, RequestHandler, Response } from "express"

type AsyncHandler = (req: Request, res: Response, next: NextFunction) => Promise<void>

/** Without this, a failure under express 4 is an unhandled rejection, which ends the process. */
export const passErrors =
  (handler: AsyncHandler): RequestHandler =>
  (req, res, next) =>
    void handler(req, res, next).catch(next)
