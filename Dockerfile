# The backend. For the small CPU build of torch, say where PyTorch's CPU wheels are (the install
# page of pytorch.org names the address): docker build --build-arg TORCH_INDEX=https://... .

FROM python:3.11-slim AS build

ARG TORCH_INDEX=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/earmark
ENV PATH=/opt/earmark/bin:$PATH
WORKDIR /build

# What Earmark needs changes rarely and is large: it gets layers of its own. The bracket lets the
# build do without a constraints.txt.
COPY pyproject.toml constraints.tx[t] ./
RUN touch constraints.txt && python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*project["dependencies"], *project["optional-dependencies"]["postgres"], sep="\n")' > requirements.txt
RUN if [ -n "$TORCH_INDEX" ]; then \
      pip install -c constraints.txt --index-url "$TORCH_INDEX" torch torchaudio; \
    fi
RUN pip install -c constraints.txt -r requirements.txt

COPY README.md LICENSE ./
COPY ml_backend ml_backend
COPY importer importer
RUN pip install --no-deps .


FROM python:3.11-slim

# The folders exist and belong to the user, so that named volumes mounted there do, too.
RUN useradd --uid 10001 --create-home earmark \
    && mkdir /data /files \
    && chown earmark:earmark /data /files
COPY --from=build /opt/earmark /opt/earmark
ENV PATH=/opt/earmark/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    EARMARK_HOST=0.0.0.0 \
    EARMARK_DATA=/data
USER earmark
WORKDIR /data

EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9090/health', timeout=3)"]
CMD ["earmark", "serve"]
