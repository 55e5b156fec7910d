import { createServer } from "node:http"

const greeting = "Hello from Starform"

const port = Number(process.env.PORT ?? 3000)
const environment = process.env.STARFORM_ENVIRONMENT ?? "this machine"
const commit = process.env.STARFORM_GIT_COMMIT ?? "not deployed"
const startedAt = new Date()

const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

const page = () => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escape(greeting)}</title>
    <style>
      :root { color-scheme: light dark; }
      body { margin: 0; min-height: 100vh; display: grid; place-items: center;
        font: 1rem/1.6 system-ui, sans-serif; background: light-dark(#f6f7fb, #0d1020); color: light-dark(#151a30, #eef0fb); }
      main { padding: 3rem; border-radius: 1.25rem; max-width: 34rem;
        background: light-dark(#fff, #171c33); box-shadow: 0 1rem 3rem #0002; }
      h1 { margin: 0 0 .5rem; font-size: 2.2rem; letter-spacing: -.02em; }
      p { margin: 0 0 1.5rem; opacity: .75; }
      dl { display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.5rem; margin: 0; }
      dt { opacity: .6; } dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
    </style>
  </head>
  <body>
    <main>
      <h1>${escape(greeting)}</h1>
      <p>This page came by <code>git push</code>. Change <code>server.js</code> and push again.</p>
      <dl>
        <dt>environment</dt><dd>${escape(environment)}</dd>
        <dt>commit</dt><dd>${escape(commit.slice(0, 12))}</dd>
        <dt>up since</dt><dd>${startedAt.toISOString()}</dd>
        <dt>node</dt><dd>${process.version}</dd>
      </dl>
    </main>
  </body>
</html>
`

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://localhost")
  if (pathname === "/healthz") {
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end("ok\n")
  } else if (pathname === "/") {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page())
  } else {
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("not found\n")
  }
})

server.listen(port, () => {
  process.stdout.write(`listening on ${port}\n`)
})

process.once("SIGTERM", () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
