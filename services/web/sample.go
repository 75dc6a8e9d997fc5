package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"image/png"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/services/wire"
)

// sample is a drops service of made-up drops, for working on the design: every
// type and state has one. The password is "open".
type sample struct {
	mu    sync.Mutex
	drops []wire.Drop
	text  map[string]wire.ViewReply // the notes' renderings, by code
}

var (
	_ Drops        = (*sample)(nil)
	_ http.Handler = (*sample)(nil)
)

func newSample() *sample {
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	soon := now.Add(26 * time.Hour)
	return &sample{
		drops: []wire.Drop{
			{Code: "Image01", Type: "image", Title: "Dunes before sunrise.png", Media: "image/png", Size: 1_840_221, Privacy: "PUBLIC", CreatedAt: at(4 * time.Minute), Views: 12, Width: 1600, Height: 1000, Thumbnail: true},
			{Code: "Video01", Type: "video", Title: "Checkout flow, second try.webm", Media: "video/webm", Size: 18_400_000, Privacy: "PUBLIC", CreatedAt: at(50 * time.Minute), Views: 3, Width: 1600, Height: 1000, DurationMS: 74_000, Thumbnail: true},
			{Code: "Code001", Type: "note", Variant: "code", Title: "publish.go", Media: "text/plain", Size: 912, Privacy: "PUBLIC", CreatedAt: at(2 * time.Hour), Views: 41},
			{Code: "Prose01", Type: "note", Variant: "markdown", Title: "Notes on the launch.md", Media: "text/markdown", Size: 2_210, Privacy: "PUBLIC", CreatedAt: at(5 * time.Hour), Views: 8},
			{Code: "Audio01", Type: "audio", Title: "Voice memo, Tuesday.wav", Media: "audio/wav", Size: 88_244, Privacy: "PUBLIC", CreatedAt: at(26 * time.Hour), Views: 1, DurationMS: 4_000},
			{Code: "Link001", Type: "link", Title: "example.com/how-we-ship", Content: "https://example.com/how-we-ship", Privacy: "PUBLIC", CreatedAt: at(30 * time.Hour), Views: 230},
			{Code: "File001", Type: "file", Title: "quarterly-numbers-final-v2.xlsx", Media: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Size: 482_113, Privacy: "PUBLIC", CreatedAt: at(50 * time.Hour), Views: 6, ExpiresAt: &soon},
			{Code: "Image02", Type: "image", Title: "Evening over the strait.png", Media: "image/png", Size: 2_200_034, Privacy: "PUBLIC", CreatedAt: at(80 * time.Hour), Views: 77, Width: 1000, Height: 1400, Thumbnail: true},
			{Code: "Locked1", Type: "file", Title: "contract-signed.pdf", Media: "application/pdf", Size: 1_204_000, Privacy: "PUBLIC", HasPassword: true, CreatedAt: at(100 * time.Hour), Views: 2},
			{Code: "Locked2", Type: "link", Title: "example.com/internal", Content: "https://example.com/internal", Privacy: "PUBLIC", HasPassword: true, CreatedAt: at(120 * time.Hour), Views: 5},
			{Code: "Plain01", Type: "note", Variant: "plain", Title: "Wi-Fi at the office", Media: "text/plain", Size: 61, Privacy: "PUBLIC", CreatedAt: at(200 * time.Hour), Views: 19},
			{Code: "OneTimeDrop00001", Type: "note", Variant: "plain", Title: "Recovery codes", Media: "text/plain", Size: 84, Privacy: "OBSCURE", CreatedAt: at(300 * time.Hour), MaxViews: 3, Views: 1},
			{Code: "Image03", Type: "image", Title: "IMG_2041.HEIC", Media: "image/heic", Size: 3_100_000, Privacy: "PUBLIC", CreatedAt: at(900 * time.Hour), Views: 4, Width: 1600, Height: 1000, Thumbnail: true},
		},
		text: map[string]wire.ViewReply{
			"Code001":          {HTML: sampleCode},
			"Prose01":          {HTML: sampleProse},
			"Plain01":          {Text: "Network: Harbour\nPassphrase: correct horse battery staple\n"},
			"OneTimeDrop00001": {Text: "4821-9920\n1180-2231\n"},
		},
	}
}

func (s *sample) View(_ context.Context, req wire.ViewRequest) (wire.ViewReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Code == "Gone001" {
		return wire.ViewReply{State: wire.StateGone}, nil
	}
	i := slices.IndexFunc(s.drops, func(d wire.Drop) bool { return d.Code == req.Code })
	if i < 0 {
		return wire.ViewReply{State: wire.StateNotFound}, nil
	}
	d := s.drops[i]
	if d.HasPassword && !req.Owner && req.Unlock != "sample" && req.Password != "open" {
		if req.Password != "" {
			return wire.ViewReply{State: wire.StateWrongPassword}, nil
		}
		return wire.ViewReply{State: wire.StateNeedsPassword}, nil
	}
	if !req.Peek && !req.Owner {
		s.drops[i].Views++
	}
	reply := s.text[d.Code]
	reply.State, reply.Drop, reply.Token = wire.StateOK, &d, "sample"
	if d.HasPassword && req.Password != "" {
		reply.Unlock = "sample"
	}
	return reply, nil
}

func (s *sample) List(_ context.Context, req wire.ListRequest) (wire.ListReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := wire.ListReply{Activity: []wire.Activity{
		{Code: "Image01", Title: "Dunes before sunrise.png", What: "created", At: s.drops[0].CreatedAt},
		{Code: "Goner01", Title: "old screenshot.png", What: "deleted", At: s.drops[0].CreatedAt - 900_000},
		{Code: "Prose01", Title: "Notes on the launch.md", What: "updated", At: s.drops[0].CreatedAt - 2_000_000},
		{Code: "Video01", Title: "Checkout flow, second try.webm", What: "created", At: s.drops[0].CreatedAt - 2_760_000},
	}}
	for _, d := range s.drops {
		if (req.Type == "" || req.Type == d.Type) && strings.Contains(strings.ToLower(d.Title), strings.ToLower(req.Query)) {
			reply.Drops = append(reply.Drops, d)
			reply.Tokens = append(reply.Tokens, "sample")
		}
	}
	reply.Total = len(reply.Drops)
	reply.Drops = reply.Drops[min(req.Offset, reply.Total):]
	reply.Drops = reply.Drops[:min(len(reply.Drops), cmp.Or(req.Amount, 50))]
	return reply, nil
}

// ServeHTTP does what the drops service does itself: uploads, which are read
// and forgotten, deletions and bytes.
func (s *sample) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	code, _, _ := strings.Cut(rest, "/")
	switch {
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"code": "Image01", "title": "Dunes before sunrise.png", "type": "image", "shortlink": "http://" + r.Host + "/Image01"})
	case r.Method == http.MethodDelete:
		s.mu.Lock()
		s.drops = slices.DeleteFunc(s.drops, func(d wire.Drop) bool { return d.Code == rest })
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case first == "thumb" || strings.HasPrefix(code, "Image"):
		var b bytes.Buffer
		if err := png.Encode(&b, landscape(code)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.ServeContent(w, r, "sample.png", time.Time{}, bytes.NewReader(b.Bytes()))
	case code == "Audio01":
		w.Header().Set("Content-Type", "audio/wav")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(chime()))
	default:
		http.NotFound(w, r)
	}
}

// chime is four seconds of a fading fifth as 11 kHz mono WAV.
func chime() []byte {
	const rate, seconds = 11025, 4
	var b bytes.Buffer
	b.WriteString("RIFF")
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a buffer takes everything
	put(uint32(36 + 2*rate*seconds))
	b.WriteString("WAVEfmt ")
	put([]uint32{16, 1 | 1<<16, rate, 2 * rate, 2 | 16<<16})
	b.WriteString("data")
	put(uint32(2 * rate * seconds))
	for i := range rate * seconds {
		t := float64(i) / rate
		v := math.Sin(2*math.Pi*220*t) + 0.6*math.Sin(2*math.Pi*330*t)
		put(int16(9000 * v * math.Exp(-t)))
	}
	return b.Bytes()
}
