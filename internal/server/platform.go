package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
)

// Platform is what a running platform tells whoever started it.
type Platform struct {
	Dir         string
	Endpoints   api.Endpoints
	Admin       iam.Credentials
	UploadToken string // what uploads from elsewhere need
	Isolation   string // level at which functions run
	rooms       *rooms
}

func newPlatform(cfg Config, r *rooms, at api.Endpoints) (*Platform, error) {
	token, err := uploadToken(cfg.Dir)
	if err != nil {
		return nil, err
	}
	return &Platform{
		Dir: cfg.Dir, Endpoints: at, Admin: r.keys.Admin(), UploadToken: token, Isolation: r.boxes.Level, rooms: r,
	}, nil
}

// Active returns the active revision of a stack.
func (p *Platform) Active(stack string) (*deploy.Revision, bool) {
	return p.rooms.deployer.Active(stack)
}

// Answers returns once the edge answers for every deployed API: with anything but
// an error of its own.
func (p *Platform) Answers(ctx context.Context) error {
	for stack, rev := range p.rooms.deployer.List() {
		if !slices.ContainsFunc(rev.APIs, func(a gateway.API) bool { return a.Kind != gateway.URL }) {
			continue // a function URL may take as long as its function
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, p.Endpoints.HTTP+"/", nil)
		if err != nil {
			return err
		}
		req.Host = strings.ToLower(stack) + ".localhost"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("%s does not answer: %w", stack, err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode >= http.StatusInternalServerError {
			return fmt.Errorf("%s answers %s; `dropstack logs` has the reason", stack, resp.Status)
		}
	}
	if !p.rooms.ready.Swap(true) {
		close(p.rooms.answered)
	}
	return nil
}

// uploadToken is made at the first start and kept in DIR/upload-token (0600).
func uploadToken(dir string) (string, error) {
	path := filepath.Join(dir, "upload-token")
	doc, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(doc)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	token := rand.Text()
	return token, os.WriteFile(path, []byte(token+"\n"), 0o600)
}

// health answers /healthz (the process is alive) and /readyz (the engines answer
// and every stack serves), and for what is measured.
func (r *rooms) health(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		checks := map[string]string{"services": "ok", "streams": "ok", "audit": "ok", "shutdown": "no"}
		status := http.StatusOK
		fail := func(name, why string) { checks[name], status = why, http.StatusServiceUnavailable }
		if !r.ready.Load() {
			fail("services", "still starting")
		}
		if ctx.Err() != nil {
			fail("shutdown", "in progress")
		}
		bounded, cancel := context.WithTimeout(req.Context(), 2*time.Second)
		defer cancel()
		if _, err := r.eng.Streams.AccountInfo(bounded); err != nil {
			fail("streams", err.Error())
		}
		if !r.trail.Healthy() {
			fail("audit", "the audit log cannot be written, and calls are refused; is the disk full?")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(checks)
	})
	return mux
}

// listeners are the platform's doors, opened before anything else, so that a
// taken port costs nothing.
type listeners struct {
	http, aws, console net.Listener
	https              net.Listener   // nil: off
	quic               net.PacketConn // HTTP/3, at the address of https; nil: off
	secure             net.Listener   // the AWS endpoint by TLS, for endpoints of VPCs
	endpoints          api.Endpoints
}

func openListeners(cfg Config) (*listeners, error) {
	ls := &listeners{}
	var err error
	for _, l := range []struct {
		flag, addr string
		to         *net.Listener
		url        *string
	}{
		{"--http", cfg.HTTP, &ls.http, &ls.endpoints.HTTP},
		{"--https", cfg.HTTPS, &ls.https, &ls.endpoints.HTTPS},
		{"--aws", cfg.AWS, &ls.aws, &ls.endpoints.AWS},
		{"--console", cfg.Console, &ls.console, &ls.endpoints.Console},
	} {
		if l.addr == "" {
			continue
		}
		if *l.to, err = listen(l.flag, l.addr); err != nil {
			ls.close()
			return nil, err
		}
		*l.url = reach(*l.to)
	}
	if cfg.HTTP3 && ls.https != nil {
		if ls.quic, err = net.ListenPacket("udp", ls.https.Addr().String()); err != nil {
			ls.close()
			return nil, fault.Errorf(fault.Unavailable, "--http3 %s by UDP: %w; is something else listening there?", ls.https.Addr(), err)
		}
	}
	ls.endpoints.HTTPS = strings.Replace(ls.endpoints.HTTPS, "http:", "https:", 1)
	if ls.secure, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		ls.close()
		return nil, err
	}
	return ls, nil
}

// close closes what is still open; serving has closed its own.
func (ls *listeners) close() {
	for _, l := range []net.Listener{ls.http, ls.https, ls.aws, ls.console, ls.secure} {
		if l != nil {
			_ = l.Close()
		}
	}
	if ls.quic != nil {
		_ = ls.quic.Close()
	}
}
