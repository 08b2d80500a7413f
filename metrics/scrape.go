package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// MaxScrapes is how many may be under way at a time; Prometheus comes alone, or as a pair. The next one is
// told 503, and comes again. Each makes its text of a status of its own, but statuses are made one by one.
const MaxScrapes = 4

// scrapeTime is how long one may take. Who reads slower holds one of the places no longer.
const scrapeTime = 30 * time.Second

// scrapes answers GET /metrics with what r gathers. What cannot be gathered is left out, and counted
// (promhttp_metric_handler_errors_total), so that nobody is without the rest.
func scrapes(r *prometheus.Registry) http.Handler { return scrapesWithin(r, scrapeTime) }

func scrapesWithin(r *prometheus.Registry, most time.Duration) http.Handler {
	h := promhttp.InstrumentMetricHandler(r, promhttp.HandlerFor(r, promhttp.HandlerOpts{
		MaxRequestsInFlight: MaxScrapes, ErrorHandling: promhttp.ContinueOnError, Registry: r,
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// The error of a writer without deadlines, as a test has it, is no reason not to answer.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(most))
		h.ServeHTTP(w, req)
	})
}
