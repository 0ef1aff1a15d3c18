# A relay in a container: docker build -t pubky-relay . (docs/relay.md)

FROM swift:6.3-bookworm AS builder
WORKDIR /source
COPY scripts/install-dependencies scripts/
RUN scripts/install-dependencies build
COPY . .
RUN swift build --configuration release --static-swift-stdlib --product pubky \
  && install -D "$(swift build --configuration release --static-swift-stdlib --show-bin-path)/pubky" /out/pubky \
  && sed 's|^path = .*|path = "/cache"|' examples/relay.toml > /out/config.toml

FROM debian:12-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends \
    ca-certificates curl libgnutls30 liblmdb0 libnettle8 libnghttp2-14 libsodium23 libstdc++6 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --home-dir /cache --shell /usr/sbin/nologin pubky \
  && install --directory --owner=pubky --group=pubky --mode=0700 /cache
COPY --from=builder /out/pubky /usr/local/bin/pubky
COPY --from=builder /out/config.toml /config.toml
USER pubky
VOLUME /cache
EXPOSE 6881/tcp 6881/udp
HEALTHCHECK --interval=30s --timeout=10s --retries=3 --start-period=40s \
  CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://localhost:6881/"]
STOPSIGNAL SIGTERM
CMD ["pubky", "relay", "--config=/config.toml"]
