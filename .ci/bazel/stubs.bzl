"""Repositories made of what is on this machine: nothing is fetched."""

# A Python whose packages are `@pypi`, and a directory of data or none.
_PYTHON = "TFVAE_PYTHON"
_SHARED = "TFVAE_SHARED"

def _execute(ctx, arguments):
    result = ctx.execute([ctx.os.environ[_PYTHON]] + arguments)
    if result.return_code:
        fail(result.stdout + result.stderr)

def _files_impl(ctx):
    for path, content in ctx.attr.files.items():
        ctx.file(path, content)

files_repository = repository_rule(
    implementation = _files_impl,
    doc = "Files by their content.",
    attrs = {"files": attr.string_dict(mandatory = True)},
)

def _pypi_impl(ctx):
    _execute(ctx, [ctx.path(ctx.attr.script), ctx.path(ctx.attr.constraints)])

pypi_repository = repository_rule(
    implementation = _pypi_impl,
    doc = "One package a pinned distribution, as the script writes them.",
    attrs = {
        "constraints": attr.label(mandatory = True),
        "script": attr.label(mandatory = True),
    },
    environ = [_PYTHON],
)

def _python_impl(ctx):
    # An empty virtual environment: its own site-packages hold nothing, so that
    # a test can import what its target's deps hand it, and no more.
    _execute(ctx, ["-m", "venv", "--without-pip", "venv"])
    ctx.file("BUILD", """
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

py_runtime(
    name = "runtime",
    interpreter_path = "{}",
    python_version = "PY3",
)

py_runtime_pair(
    name = "runtimes",
    py3_runtime = ":runtime",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtimes",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
""".format(ctx.path("venv/bin/python")))

python_repository = repository_rule(
    implementation = _python_impl,
    doc = "A toolchain of that Python, without its packages.",
    environ = [_PYTHON],
)

def _shared_impl(ctx):
    data = ctx.path(ctx.os.environ[_SHARED]).get_child("data")
    if data.exists:
        ctx.symlink(data, "data")
    ctx.file("BUILD", """
filegroup(
    name = "files",
    srcs = {},
    visibility = ["//visibility:public"],
)
""".format(["data"] if data.exists else []))

shared_repository = repository_rule(
    implementation = _shared_impl,
    doc = "The raw files of MNIST, where there are any.",
    environ = [_SHARED],
)
