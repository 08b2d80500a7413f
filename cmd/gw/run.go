package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
	"vxgw/gateway"
	"vxgw/logs"
	"vxgw/metrics"
	"vxgw/page"
)

// newRun makes the command that runs a gateway in the foreground; the root command
// does the same.
func newRun() *cobra.Command {
	flags := config.DefaultFlags()
	var file string
	var tunnel []string // names of the flags of the tunnel's options
	var options func(map[string]any) error
	c := &cobra.Command{
		Use:   "run --iface IFACE --vni VNI [flags]",
		Short: "Run a gateway in the foreground (what gw does without a command)",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			flags.Tunnel = map[string]any{}
			if err := options(flags.Tunnel); err != nil {
				return usageError{err}
			}
			cfg, err := settings(c, flags, file, tunnel)
			if err != nil {
				return err
			}
			if file == "" {
				return run(cfg, nil)
			}
			return run(cfg, func() (*config.Config, error) {
				if err := rereadable(file); err != nil {
					return nil, err
				}
				return settings(c, flags, file, tunnel)
			})
		},
	}
	f := c.Flags()
	f.Var(&once{text: &flags.Iface}, "iface", "underlay interface, which carries the VXLAN packets")
	f.UintSliceVar(&flags.VNIs, "vni", flags.VNIs, "VXLAN network identifier, 1-16777215; repeatable")
	f.Var(&once{text: &flags.Local}, "local", "outer source address, IPv4 or IPv6 (default: the interface's first global address)")
	f.Var(&once{text: &flags.Local6}, "local6", "outer source address over IPv6, beside one over IPv4 (default: as for --local)")
	f.UintVar(&flags.DstPort, "dstport", flags.DstPort, "UDP port of VXLAN")
	f.StringSliceVar(&flags.Remotes, "remote", flags.Remotes, "VTEP that gets a copy of every flooded frame; repeatable")
	f.StringSliceVar(&flags.Allow, "allow", flags.Allow, allowUsage)
	f.Var(&once{text: &flags.Group}, "group", "multicast group that flooded frames go to")
	f.StringSliceVar(&flags.Ports, "port", flags.Ports, "existing interface to bridge, or NAME:VLAN for VLAN 1-4094 or untagged of a trunk, or to keep, strip or drop tags; repeatable")
	f.Var(&once{text: &flags.Device}, "device", "name of the interface to make for this host (default gw<VNI> where no --port is given)")
	f.BoolVar(&flags.NoDevice, "no-device", false, "make no interface for this host, also where no --port is given")
	f.StringSliceVar(&flags.Addresses, "address", flags.Addresses, "address with prefix length for that interface; repeatable")
	f.UintVar(&flags.MTU, "mtu", flags.MTU, "MTU of that interface (default what the underlay's leaves, whatever that is at any time)")
	tunnel, options = tunnelFlags(f)
	f.Var(&once{text: &flags.Mode}, "mode", "how to bind: auto, zerocopy, copy or generic")
	f.UintVar(&flags.Workers, "workers", flags.Workers, "threads that move frames (default half of the CPUs, at most one per queue of the underlay)")
	f.Var(&once{text: &flags.Poll}, "poll", "what a worker does with nothing to do: adaptive, busy or interrupt")
	f.Var(&once{text: &flags.CPUs}, "cpus", "CPUs for them, one on each, such as 2,4-7")
	f.Var(&once{text: &flags.Metrics}, "metrics", "address of /metrics for Prometheus and of a page to look at, empty for none")
	f.Var(&once{text: &flags.Control}, "control", "path of the API socket (default /run/gw/<iface>.sock)")
	f.Var(&once{text: &flags.ControlGroup}, "control-group", "group whose members may use the API (default that of the process)")
	f.StringVar(&flags.LogFormat, "log-format", flags.LogFormat, "auto, text or json")
	f.StringVar(&flags.LogLevel, "log-level", flags.LogLevel, "debug, info, warn or error")
	f.Var(&once{text: &file}, "config", "YAML or JSON file that describes everything, read again on SIGHUP; not with the flags above, save --log-*")
	return c
}

// once is a flag that has one value. Of two, one would be forgotten in silence.
type once struct {
	text *string
	set  bool
}

func (o *once) String() string {
	if o.text == nil { // as pflag asks for the zero value
		return ""
	}
	return *o.text
}

func (o *once) Set(s string) error {
	if o.set {
		return errors.New("it is given twice")
	}
	*o.text, o.set = s, true
	return nil
}

func (o *once) Type() string { return "string" }

// settings makes the configuration of the flags, or of the file. tunnel names the flags of the tunnel's options.
func settings(c *cobra.Command, flags config.Flags, file string, tunnel []string) (*config.Config, error) {
	// A script's empty variable must not quietly make a gateway without remotes.
	for _, name := range []string{"config", "local", "remote", "allow", "group", "port", "device", "address", "cpus", "control-group"} {
		if f := c.Flags().Lookup(name); f.Changed && strings.Trim(f.Value.String(), "[]") == "" {
			return nil, usageError{fmt.Errorf("--%s is empty (give a value, or leave it out)", name)}
		}
	}
	if file == "" {
		return config.FromFlags(flags)
	}
	for _, name := range append(slices.Clip(tunnel), "iface", "vni", "local", "dstport", "remote", "allow", "group", "port", "device", "no-device", "address", "mtu", "mode", "workers", "poll", "cpus", "metrics", "control", "control-group") {
		if c.Flags().Changed(name) {
			return nil, usageError{fmt.Errorf("--config and --%s do not go together (write it into the file)", name)}
		}
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	if c.Flags().Changed("log-format") {
		cfg.Log.Format = flags.LogFormat
	}
	if c.Flags().Changed("log-level") {
		cfg.Log.Level = flags.LogLevel
	}
	return cfg, cfg.Validate()
}

// run is the life of a gateway: start, wait for links, serve, reload, wait, take everything back. load
// reads the configuration again; nil where there is no file.
func run(cfg *config.Config, load func() (*config.Config, error)) (err error) {
	log := newLogger(cfg.Log)
	defer logs.Of(log).Flush()
	group, err := control.GroupID(cfg.Control.Group)
	if err != nil {
		return &config.Error{Problem: err.Error()}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer cancel()
	// To the end of the process: a signal that comes when all is taken back must not be what ends it.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM)
	hangups := make(chan os.Signal, 1) // one that comes during a reload is not lost
	signal.Notify(hangups, unix.SIGHUP)
	defer signal.Stop(hangups)
	signal.Ignore(unix.SIGPIPE) // frames flow on when whoever reads the log goes away

	g, err := gateway.Start(ctx, cfg, log)
	if err == gateway.ErrInterrupted { // and all is taken back
		log.Info("stopped before frames could flow")
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if g.AwaitCarrier(ctx); ctx.Err() != nil {
		log.Info("stopping")
		return nil
	}
	path := cfg.Control.Path
	if path == "" {
		path = g.Paths().Socket
	}
	api, err := control.Listen(path, group)
	if err != nil {
		return err
	}
	api.Serve(g)
	defer func() { err = errors.Join(err, api.Close()) }()
	if cfg.Metrics.Listen != "" {
		m, err := metrics.Listen(cfg.Metrics.Listen, g, func(mux *http.ServeMux) { page.Handle(mux, g) })
		if err != nil {
			return err
		}
		defer m.Close()
	}

	announce(logs.Of(log).Unbounded(), g.Status(), path)
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("cannot tell systemd", "err", err)
	}
	go watchdog(ctx, log, g)
	for {
		select {
		case <-ctx.Done():
			log.Info("stopping")
			daemon.SdNotify(false, daemon.SdNotifyStopping) // the manager may have gone; it sees the exit
			return nil
		case err := <-g.Failed():
			return err
		case <-hangups:
			reload(logs.Of(log).Unbounded(), g, load)
		}
	}
}

// announce says what runs, once frames can flow.
func announce(log *slog.Logger, s control.Status, path string) {
	log.Info("underlay", "iface", s.Underlay.Name, "local", strings.Join(s.Underlay.Locals, " "), "dstport", s.Underlay.DstPort,
		"xdp", s.Underlay.XDP, "mode", modes(s.Underlay.Queues), "mtu", s.Underlay.MTU)
	if per := s.Underlay.Queues[0].PerSend; per > 0 {
		log.Info("this kernel makes sending cost more system calls (Linux 6.17 does not)", "frames_per_call", per)
	}
	for _, p := range s.Ports {
		if n := len(p.VLANs); n > 0 {
			log.Info("trunk", "port", p.Name, "vlans", n, "tpid", p.TPID, "xdp", p.XDP, "mode", modes(p.Queues), "mtu", p.MTU)
			continue
		}
		log.Info("port", "vni", p.VNI, "port", p.Name, "device", p.Device, "xdp", p.XDP, "mode", modes(p.Queues), "mtu", p.MTU)
	}
	for _, p := range s.Problems {
		log.Warn("frames do not flow everywhere yet", "problem", p)
	}
	if s.Hint != "" {
		log.Info(s.Hint)
	}
	log.Info("ready", "control", path)
}

// modes says how queues are bound, in one word when they agree.
func modes(queues []control.Queue) string {
	mode := ""
	for _, q := range queues {
		switch mode {
		case "", q.Mode:
			mode = q.Mode
		default:
			return "mixed"
		}
	}
	return mode
}
