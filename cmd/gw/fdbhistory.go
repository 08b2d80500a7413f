package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vxgw/config"
)

// newFDBHistory makes gw fdb history.
func newFDBHistory() *cobra.Command {
	var t target
	var vni uint32
	c := &cobra.Command{
		Use:   "history MAC [--vni VNI]",
		Short: "Show how an address moved: when, from where and to where",
		Long: `Show how an address moved, oldest first: when, from where and to where. The gateway remembers the last 16 moves
of each of the 2,048 addresses that moved last. "frozen" is behind a move that was one too many (moves, of a VNI).`,
		RunE: func(c *cobra.Command, args []string) error {
			mac, err := macArg(args)
			if err == nil && c.Flags().Changed("vni") {
				err = checkVNI(vni)
			}
			if err != nil {
				return usageError{fmt.Errorf("fdb history: %w", err)}
			}
			client, err := t.client()
			if err != nil {
				return err
			}
			all, err := client.FDBHistory(c.Context(), mac, vni)
			switch {
			case err != nil:
				return err
			case t.json:
				return printJSON(os.Stdout, all)
			}
			for _, h := range all {
				if more := h.Moves - uint64(len(h.Last)); more > 0 {
					fmt.Printf("vni %d %s moved %d times before\n", h.VNI, h.MAC, more)
				}
				for _, m := range h.Last {
					line := fmt.Sprintf("%s vni %d %s from %s to %s", m.Time.Local().Format(time.RFC3339), h.VNI, h.MAC, m.From, m.To)
					if m.Frozen {
						line += " frozen"
					}
					fmt.Println(line)
				}
			}
			return nil
		},
	}
	c.Flags().Uint32Var(&vni, "vni", 0, "only in this VNI")
	t.flags(c)
	return c
}

// macArg reads the only argument.
func macArg(args []string) (string, error) {
	if len(args) != 1 {
		return "", errors.New("which address? (one MAC address)")
	}
	var m config.MAC
	if err := m.UnmarshalText([]byte(args[0])); err != nil {
		return "", err
	}
	return m.String(), nil
}

// movesFlag reads what gw vni add is told of moves, in the words of the file.
func movesFlag(words []string) (map[string]any, error) {
	moves := map[string]any{}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if _, twice := moves[key]; !ok || twice {
			return nil, fmt.Errorf("--moves %q is not understood (give limit=N, within=180s, freeze=0s, each once)", w)
		}
		moves[key] = value
		if key == "limit" {
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("--moves %q is no number of moves (give one like limit=5)", w)
			}
			moves[key] = n
		}
	}
	return moves, nil
}
