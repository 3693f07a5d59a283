# docker build -t campanile .
# docker run --read-only --tmpfs /tmp -v campanile:/var/lib/campanile -p 8010:8010 campanile
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /campanile
COPY . .
RUN cargo build --release --locked --bin campanile \
    && install -D target/release/campanile /out/target/release/campanile

FROM debian:bookworm-slim
# Authorities for TLS, and the programs that pollers use.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client subversion tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/campanile
COPY --from=build /out/target/release/campanile /usr/bin/campanile
# Settings, store and the cache of compiled components: all that is ever written.
ENV CAMPANILE_CONFIG=/var/lib/campanile/campanile.toml
ENV CAMPANILE_LOG_FORMAT=json
ENV HOME=/var/lib/campanile
VOLUME /var/lib/campanile
WORKDIR /var/lib/campanile
USER 10001:10001
EXPOSE 8010
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["campanile", "health"]
ENTRYPOINT ["campanile"]
CMD ["serve"]
