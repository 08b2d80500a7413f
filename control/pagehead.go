package control

// pageHead is what stands in front of the table of requests.
const pageHead = `# API

Made from the code by ` + "`make generate`" + `: do not edit. What every command of ` + "`gw`" + ` that looks at a running gateway or changes it does by,
and what scripts and control planes may use: JSON over HTTP on a unix socket.

    curl -s --unix-socket /run/gw/ens18.sock http://gw/v1/version
    {"api":"v1","version":"devel"}

The socket is ` + "`/run/gw/IFACE.sock`" + ` (` + "`--control`, `control.path`" + `), in a network namespace other than that of pid 1 ` + "`/run/gw/INODE-IFACE.sock`" + `; ` + "`gw`" + ` names it when it
says ` + "`ready`" + `. Whatever host stands in the URL is ignored.

## Who may ask

The socket has mode 0660 and the group that ` + "`control.group` (`--control-group`)" + ` names, by default that of the process: ` + "`gw`" + ` with ` + "`gw@.service`" + `, root
when root starts it. For each connection the kernel is asked who made it (` + "`SO_PEERCRED`, `SO_PEERGROUPS`" + `): root, the user that ` + "`gw`" + ` runs as, and members of
that group may ask and change everything, others get 403, also by a connection that somebody handed to them. To look and to change are not told apart: who may only look
should read [the metrics](operations.md).

## Versions

The first element of the path is the version. Within ` + "`v1`" + ` requests and keys of answers may come, and none goes or means something else: ignore keys
that you do not know. A path of another version is answered with 404 and a sentence that names the one there is.

## Bounds

A request has 10 seconds to arrive, a header of at most 16 KiB and a body of at most 1 MiB; a client that does not take its answer for 30 seconds loses it. 64
connections are served at a time, others wait. What changes the gateway is carried out one after another; the answer comes when workers act on it.

## Answers

200 with what is asked for. Everything else has a body ` + "`{\"error\": \"a sentence that names the thing and the cure\"}`" + `. Keys that no request has are refused. The
methods are ` + "`GET`, which changes nothing, and `POST`" + `.

| status | meaning |
|---|---|
`
