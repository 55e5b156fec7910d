# Shuttle's image. Build it at the root of the repository:
#   docker build --file infra/kubernetes/images/shuttle.Dockerfile --tag shuttle .
# Node runs the workspace's TypeScript as it is, so the workspace's own layout is what goes in: beside node_modules, because
# Node strips no types inside it.
FROM docker.io/library/node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml .npmrc ./
COPY packages/domain/package.json packages/domain/
COPY packages/shuttle/package.json packages/shuttle/
RUN npx --yes pnpm@12.21.0 install --frozen-lockfile --prod --no-optional --ignore-scripts --filter "@starform/shuttle..."
COPY packages/domain/src packages/domain/src
COPY packages/shuttle/src packages/shuttle/src

# No shell, no package manager; user 65532.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/packages packages
ENV NODE_ENV=production
USER 65532:65532
EXPOSE 8080
# Most of what an agent makes is garbage at once: a small nursery and a heap that grows in small steps keep it a third smaller.
CMD ["--max-semi-space-size=2", "--heap-growing-percent=20", "packages/shuttle/src/main.ts"]
