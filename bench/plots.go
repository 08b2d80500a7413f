package bench

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	_ "gonum.org/v1/plot/vg/vgsvg" // the format
)

// Pictures of a report, as SVG. One for which nothing was measured is not drawn.

// colours tell contenders apart, also in grey and for most who see few colours.
var colours = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
}

// draw writes the pictures into a folder and returns their names.
func (r *Report) draw(dir string) (drawn []string, err error) {
	for _, p := range []struct {
		name string
		make func() (*plot.Plot, error)
	}{
		{"ratios.svg", r.ratiosPlot},
		{"sizes.svg", r.sizesPlot},
		{"macs.svg", r.macsPlot},
		{"stages.svg", r.stagesPlot},
	} {
		made, err := p.make()
		if errors.Is(err, errNothing) {
			continue
		}
		if err == nil {
			err = made.Save(8*vg.Inch, 5*vg.Inch, filepath.Join(dir, p.name))
		}
		if err != nil {
			return drawn, fmt.Errorf("draw %s: %w", p.name, err)
		}
		drawn = append(drawn, p.name)
	}
	return drawn, nil
}

// bar is a value with its interval.
type bar struct {
	label          string
	mid, low, high float64
}

// bars are points with error bars, for plotter.
type bars []bar

func (b bars) Len() int                      { return len(b) }
func (b bars) XY(i int) (x, y float64)       { return float64(i), b[i].mid }
func (b bars) YError(i int) (lo, hi float64) { return b[i].mid - b[i].low, b[i].high - b[i].mid }
func (b bars) labels() (all []string) {
	for _, v := range b {
		all = append(all, v.label)
	}
	return all
}

// ratiosPlot has gw's ratio to each peer in the cells that have all of them.
func (r *Report) ratiosPlot() (*plot.Plot, error) {
	if r.EndToEnd == nil {
		return nil, errNothing
	}
	var all bars
	for _, c := range r.EndToEnd.Comparisons {
		if c.Of == ofSaturated && c.Trouble == "" && len(c.Name) > 5 && c.Name[:5] == "gw / " {
			all = append(all, bar{c.Name[5:] + ", " + c.Cell, c.Ratio, c.Low, c.High})
		}
	}
	if len(all) == 0 {
		return nil, errNothing
	}
	p := plot.New()
	p.Title.Text = "gw over each peer, packets per second, saturated"
	p.Y.Label.Text = "ratio, with the interval of its median"
	p.Y.Min = 0
	if err := addBars(p, all); err != nil {
		return nil, err
	}
	one, err := plotter.NewLine(plotter.XYs{{X: -0.5, Y: 1}, {X: float64(len(all)) - 0.5, Y: 1}})
	if err != nil {
		return nil, err
	}
	one.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(one)
	return p, nil
}

// addBars adds points with their intervals, each under its label.
func addBars(p *plot.Plot, all bars) error {
	points, err := plotter.NewScatter(all)
	if err != nil {
		return err
	}
	points.GlyphStyle = draw.GlyphStyle{Color: colours[0], Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	intervals, err := plotter.NewYErrorBars(all)
	if err != nil {
		return err
	}
	intervals.LineStyle.Color = colours[0]
	p.Add(plotter.NewGrid(), intervals, points)
	p.NominalX(all.labels()...)
	p.X.Tick.Label.Rotation = math.Pi / 2
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YCenter
	p.X.Tick.Label.Font.Size = vg.Points(8)
	p.X.Min, p.X.Max = -0.5, float64(len(all))-0.5
	return nil
}

// lines adds a line for each name, in the order of names.
func lines(p *plot.Plot, names []string, points map[string]plotter.XYs) error {
	for i, name := range names {
		xys := points[name]
		slices.SortFunc(xys, func(a, b plotter.XY) int { return int(math.Copysign(1, a.X-b.X)) })
		line, dots, err := plotter.NewLinePoints(xys)
		if err != nil {
			return err
		}
		c := colours[i%len(colours)]
		line.Color, dots.Color, dots.Shape = c, c, draw.CircleGlyph{}
		line.Width = vg.Points(1.5)
		p.Add(line, dots)
		p.Legend.Add(name, line, dots)
	}
	p.Add(plotter.NewGrid())
	p.Legend.Top = true
	return nil
}

// sizesPlot has the rate over the size of frames, jailed, saturated.
func (r *Report) sizesPlot() (*plot.Plot, error) {
	if r.EndToEnd == nil {
		return nil, errNothing
	}
	var names []string
	points := map[string]plotter.XYs{}
	for _, c := range r.EndToEnd.Cells {
		if !c.Jailed || c.Traffic.Size == 0 || c.Traffic.MACs != 2 || c.Way == bothWays || c.shared {
			continue
		}
		for _, contender := range []string{"kernel", "gw"} {
			rate := r.EndToEnd.medianRate(c.ID, contender)
			if rate == 0 {
				continue
			}
			name := fmt.Sprintf("%s, %s", contender, c.Way)
			if points[name] == nil {
				names = append(names, name)
			}
			points[name] = append(points[name], plotter.XY{X: float64(c.Traffic.Size), Y: rate / 1e3})
		}
	}
	if len(names) == 0 {
		return nil, errNothing
	}
	p := plot.New()
	p.Title.Text = "Rate over the size of inner frames, jailed, saturated"
	p.X.Label.Text, p.Y.Label.Text = "bytes", "thousand packets per second"
	p.Y.Min = 0
	return p, lines(p, names, points)
}

// medianRate is a contender's saturated rate in a cell; 0: none.
func (e *EndToEnd) medianRate(cell, contender string) float64 {
	var all []float64
	for _, t := range e.Turns {
		if t.Cell == cell && t.Contender == contender {
			all = append(all, t.Rate)
		}
	}
	return median(all)
}

// macsPlot has what a packet costs in memory over the number of addresses.
func (r *Report) macsPlot() (*plot.Plot, error) {
	var names []string
	points := map[string]plotter.XYs{}
	for _, m := range r.Memory.Packets {
		if m.ID == "" || m.Ns <= 0 || m.MACs <= 0 {
			continue
		}
		name := m.Direction.String()
		if points[name] == nil {
			names = append(names, name)
		}
		points[name] = append(points[name], plotter.XY{X: float64(m.MACs), Y: 1e3 / m.Ns})
	}
	if len(names) == 0 {
		return nil, errNothing
	}
	p := plot.New()
	p.Title.Text = "Rate over the number of MAC addresses, in memory, one core"
	p.X.Label.Text, p.Y.Label.Text = "MAC addresses", "million packets per second"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	p.Y.Min = 0
	return p, lines(p, names, points)
}

// stagesPlot has where the time of a packet goes: in memory to the worker's own code, and end
// to end to all else that its CPU does for it.
func (r *Report) stagesPlot() (*plot.Plot, error) {
	var all bars
	for _, s := range r.Memory.Stages {
		if s.Direction != Encap {
			continue
		}
		for _, p := range s.parts() {
			all = append(all, bar{fmt.Sprintf("%s, %d MACs", p.name, s.MACs), p.ns, p.ns, p.ns})
		}
	}
	if r.EndToEnd != nil {
		for _, w := range []way{encapOnly, decapOnly} {
			for _, contender := range []string{"null", "gw", "kernel"} {
				if b, ok := r.EndToEnd.cost(id(w, "64", true), contender); ok {
					b.label = fmt.Sprintf("%s with the kernel, %s", contender, w)
					all = append(all, b)
				}
			}
		}
	}
	if len(all) == 0 {
		return nil, errNothing
	}
	p := plot.New()
	p.Title.Text = "CPU time of a packet, by how much of its way is counted"
	p.Y.Label.Text = "ns per packet"
	p.Y.Min = 0
	return p, addBars(p, all)
}

// cost is the CPU time of a packet in a cell, in nanoseconds, from the lowest to the highest
// turn.
func (e *EndToEnd) cost(cell, contender string) (b bar, ok bool) {
	var all []float64
	for _, t := range e.Turns {
		if t.Cell == cell && t.Contender == contender && t.PerCPU > 0 {
			all = append(all, 1e9/t.PerCPU)
		}
	}
	if len(all) == 0 {
		return b, false
	}
	return bar{mid: median(all), low: slices.Min(all), high: slices.Max(all)}, true
}
