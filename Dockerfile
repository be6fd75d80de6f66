# wharf in a container: docker build -t wharf . && docker run -p 9000:9000 -p 9001:9001 -v wharf:/data wharf
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
RUN cargo build --release --locked --bin wharf

FROM debian:bookworm-slim
# A fixed number, so that a mounted directory can be given to it beforehand.
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin wharf \
    && install -d -m 0700 -o wharf -g wharf /data
COPY --from=build /build/target/release/wharf /usr/local/bin/wharf
ENV WHARF_S3_LISTEN=0.0.0.0:9000 \
    WHARF_API_LISTEN=0.0.0.0:9001 \
    WHARF_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 9000 9001
# The check itself gives up after 5 s.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["wharf", "healthcheck"]
ENTRYPOINT ["wharf"]
CMD ["serve"]
