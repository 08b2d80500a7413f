package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
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
	var s settings
	c := &cobra.Command{
		Use:   "run --iface IFACE --vni VNI [flags]",
		Short: "Run a gateway in the foreground (what gw does without a command)",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := s.load(c.Flags())
			if err != nil {
				return err
			}
			if s.file == "" {
				return run(cfg, nil)
			}
			return run(cfg, func() (config.Explained, error) {
				if err := rereadable(s.file); err != nil {
					return config.Explained{}, err
				}
				return s.load(c.Flags())
			})
		},
	}
	s.add(c.Flags())
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

// run is the life of a gateway: start, wait for links, serve, reload, wait, take everything back. load
// reads the configuration again; nil where there is no file.
func run(loaded config.Explained, load func() (config.Explained, error)) (err error) {
	cfg := loaded.Config
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
	serving := &served{Gateway: g}
	serving.loaded.Store(&loaded)
	api.Serve(serving)
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
			reload(logs.Of(log).Unbounded(), serving, load)
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
