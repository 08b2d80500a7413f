//go:build race

package gateway

// underRace makes tests of timing and not of data races shorter: everything takes
// ten times as long.
const underRace = true
