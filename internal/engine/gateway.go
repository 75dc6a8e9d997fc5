package engine

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

const (
	// rootAccess owns buckets made inside the process. It cannot sign in: its
	// secret is drawn anew at every start and told to nobody.
	rootAccess = "dropstack"
	// maxParts is S3's limit of a multipart upload.
	maxParts = 10000
	// maxConnections also bounds the requests in flight.
	maxConnections = 4096
	// longestSocket is what a socket's address holds on the smallest of systems.
	longestSocket = 100
)

// gateway is versitygw's S3 server. It insists on listening, so it gets a private
// socket and the handler passes requests on to it.
type gateway struct {
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	api       *s3api.S3ApiServer
	served    chan error
	tempDir   string // of the socket, when the data directory's path is too long
}

func openGateway(cfg Config, d *disk) (_ *gateway, err error) {
	region := cfg.Region
	if region == "" {
		region = "us-east-1"
	}
	utils.SetBucketNameValidationStrict(true)
	g := &gateway{served: make(chan error, 1)}
	socket, err := g.socket(cfg.Dir)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	g.api, err = s3api.New(d, middlewares.RootUserConfig{Access: rootAccess, Secret: rand.Text()}, region,
		accounts{cfg.Accounts}, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithMpMaxParts(maxParts), s3api.WithSocketPerm(0o600),
		s3api.WithConcurrencyLimiter(maxConnections, maxConnections), s3api.WithMiddleware("/", virtualHosts(region)), s3api.WithOnListen(func() { close(ready) }))
	if err != nil {
		return nil, fmt.Errorf("start the S3 API: %w", err)
	}
	go func() { g.served <- g.api.ServeMultiPort([]string{socket}) }()
	select {
	case <-ready:
	case err := <-g.served:
		return nil, errors.Join(fmt.Errorf("start the S3 API: %w", err), os.RemoveAll(g.tempDir))
	}
	g.connect(socket, cfg.Log.With("engine", "objects"))
	if err := g.ask(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the S3 API: %w", err), os.RemoveAll(g.tempDir))
	}
	return g, nil
}

// ask waits for one answer, whatever it is. The server says that it listens a
// moment before it serves, and a shutdown within that moment would pass it by: it
// would go on for ever.
func (g *gateway) ask() error {
	req, err := http.NewRequest(http.MethodHead, "http://s3/", nil)
	if err != nil {
		return err
	}
	resp, err := g.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// socket chooses where to listen and removes what a crash left there.
func (g *gateway) socket(dir string) (string, error) {
	socket := filepath.Join(dir, "run", "s3.sock")
	if len(socket) > longestSocket {
		temp, err := os.MkdirTemp("", "dropstack-")
		if err != nil {
			return "", fmt.Errorf("start the S3 API: %w", err)
		}
		g.tempDir, socket = temp, filepath.Join(temp, "s3.sock")
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("start the S3 API: %w", err)
	}
	return socket, nil
}

func (g *gateway) connect(socket string, log *slog.Logger) {
	var dialer net.Dialer
	g.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableCompression:    true, // an Accept-Encoding of our own would not be in the signature
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		ExpectContinueTimeout: time.Second,
	}
	g.proxy = &httputil.ReverseProxy{
		Transport:     g.transport,
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "s3"})
			// All of these are signed as the client sent them.
			r.Out.Host = r.In.Host
			r.Out.URL.Path, r.Out.URL.RawPath = r.In.URL.Path, r.In.URL.RawPath
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Error("S3 API", "method", r.Method, "err", err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.proxy.ServeHTTP(&lowerMetadata{w}, r)
}

// lowerMetadata writes the names of an object's own metadata in lower case, as S3
// does: clients such as boto3 take the name from the header as it comes.
type lowerMetadata struct{ http.ResponseWriter }

func (l *lowerMetadata) WriteHeader(status int) {
	h := l.Header()
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
	l.ResponseWriter.WriteHeader(status)
}

// Unwrap lets answers be flushed.
func (l *lowerMetadata) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// close lets requests finish, up to versitygw's ten seconds.
func (g *gateway) close() error {
	if g.transport != nil {
		g.transport.CloseIdleConnections()
	}
	err := g.api.ShutDown()
	if err != nil {
		err = fmt.Errorf("stop the S3 API: %w", err)
	}
	<-g.served // with an error that says it was stopped
	if g.tempDir != "" {
		err = errors.Join(err, os.RemoveAll(g.tempDir))
	}
	return err
}

// accounts is Accounts as versitygw asks for it. Buckets belong to the account, not
// to a key that comes and goes, and who may do what is decided before a request gets
// here; so every key is the one account, with the role of an administrator. Its
// administration of users and policies is not served.
type accounts struct{ Accounts }

var account = auth.Account{Access: rootAccess, Role: auth.RoleAdmin}

// DeriveSigningKey is asked instead of GetUserAccount, since only it is told the
// session token.
func (a accounts) DeriveSigningKey(access, token, date, region, service string) ([]byte, auth.Account, error) {
	secret, err := a.Secret(access, token)
	switch {
	case err == nil:
	case token != "":
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	default:
		return nil, auth.Account{}, auth.ErrNoSuchUser
	}
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return key, account, nil
}

func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	if access != rootAccess {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return account, nil
}

func (a accounts) ResolveAccounts(ids []string) ([]string, error) {
	var missing []string
	for _, id := range ids {
		if _, err := a.GetUserAccount(id); err != nil {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// ResolvePrincipals takes every principal that a bucket's policy names: whoever
// decides over requests has read the policy before it gets here, and knows them.
func (accounts) ResolvePrincipals([]string) (unknown []string, err error) { return nil, nil }

func (accounts) CreateAccount(auth.Account) error { return errNotHere }

func (accounts) UpdateUserAccount(string, auth.MutableProps) error { return errNotHere }

func (accounts) DeleteUserAccount(string) error { return errNotHere }

func (accounts) ListUserAccounts() ([]auth.Account, error) { return nil, errNotHere }

func (accounts) Shutdown() error { return nil }

var errNotHere = s3err.GetAPIError(s3err.ErrAdminMethodNotSupported)

var (
	_ auth.IAMService         = accounts{}
	_ auth.SigningKeyProvider = accounts{}
	_ auth.PrincipalResolver  = accounts{}
)
