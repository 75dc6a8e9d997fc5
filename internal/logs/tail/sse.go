package tail

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// beat is how often a stream with nothing to say says that it is there.
const beat = 15 * time.Second

// line is a record in a stream of server-sent events.
type line struct {
	Time    int64        `json:"time"` // milliseconds since 1970
	Group   string       `json:"group"`
	Stream  string       `json:"stream"`
	Request string       `json:"requestId,omitempty"`
	Message string       `json:"message"`
	Fields  []logs.Field `json:"fields,omitempty"`
}

// ServeHTTP answers GET /api/tail?groups=NAME,…&filter=PATTERN with a stream of
// server-sent events: one of each record, as JSON, and an event "lost" with a number
// when so many were passed over. Names may end in "*"; without any, all groups are
// meant. The filter is a pattern of CloudWatch Logs.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		http.Error(w, "only GET is answered here", http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	pattern, err := logs.Compile(q.Get("filter"))
	if err != nil {
		http.Error(w, "filter: "+err.Error(), http.StatusBadRequest)
		return
	}
	f := Filter{Pattern: pattern}
	for _, list := range q["groups"] {
		for name := range strings.SplitSeq(list, ",") {
			if name != "" {
				f.Groups = append(f.Groups, name)
			}
		}
	}
	follower := h.Follow(f)
	defer follower.End()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	for r.Context().Err() == nil {
		wait, cancel := context.WithTimeout(r.Context(), beat)
		records, lost, ok := follower.Next(wait)
		idle := wait.Err() != nil && r.Context().Err() == nil
		cancel()
		switch {
		case ok:
			err = events(w, records, lost)
		case idle:
			_, err = fmt.Fprint(w, ":\n\n")
		default:
			return
		}
		if err != nil || flush() != nil {
			return // the client has left
		}
	}
}

func events(w http.ResponseWriter, records []logs.Record, lost int) error {
	if lost > 0 {
		if _, err := fmt.Fprintf(w, "event: lost\ndata: %d\n\n", lost); err != nil {
			return err
		}
	}
	for _, r := range records {
		doc, err := json.Marshal(line{r.Time.UnixMilli(), r.Group, r.Stream, r.Request, r.Message, r.Fields})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", doc); err != nil {
			return err
		}
	}
	return nil
}
