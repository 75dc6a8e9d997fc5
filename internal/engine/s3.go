package engine

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3err"
	"golang.org/x/sys/unix"
)

// copyLimit is S3's limit for copying an object in one call.
const copyLimit = 5 << 30

// s3Server is the S3 API on a private socket.
type s3Server struct {
	api    *s3api.S3ApiServer
	root   auth.Account
	socket string
	served chan error
}

func openObjects(cfg Config) (*Objects, error) {
	dir := filepath.Join(cfg.Dir, "objects")
	store, err := posix.New(dir, meta.XattrMeta{}, posix.PosixOpts{CopyObjectThreshold: copyLimit, NewDirPerm: 0o700, NewFilePerm: 0o600})
	if err != nil {
		return nil, err
	}
	if err := (meta.XattrMeta{}).Test(dir); err != nil {
		return nil, fmt.Errorf("%s: this file system has no extended attributes, which objects' properties are kept in; choose another directory with --data: %w", dir, err)
	}
	o := &Objects{backend: &durable{Posix: store, root: dir, notify: cfg.OnObject, log: cfg.Log}, spool: filepath.Join(cfg.Dir, "run")}
	if o.server, err = serveS3(cfg, o.backend); err != nil {
		return nil, err
	}
	o.Handler = o.server.proxy(cfg.Log)
	return o, nil
}

func serveS3(cfg Config, be *durable) (*s3Server, error) {
	// nobody is told this key: it only owns the buckets. The administrator's own
	// key comes from Accounts, with the same rights
	s := &s3Server{root: auth.Account{Access: "dropstack", Secret: rand.Text(), Role: auth.RoleAdmin}, served: make(chan error, 1)}
	var err error
	if s.socket, err = socketPath(cfg.Dir); err != nil {
		return nil, err
	}
	listening := make(chan struct{})
	s.api, err = s3api.New(be, middlewares.RootUserConfig{Access: s.root.Access, Secret: s.root.Secret}, cfg.Region,
		accounts{cfg.Accounts}, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithConcurrencyLimiter(4096, 4096), s3api.WithMpMaxParts(10_000),
		s3api.WithSocketPerm(0o600), s3api.WithOnListen(func() { close(listening) }))
	if err != nil {
		return nil, err
	}
	go func() { s.served <- s.api.ServeMultiPort([]string{s.socket}) }()
	select {
	case <-listening:
		return s, nil
	case err := <-s.served:
		return nil, fmt.Errorf("serve S3 on %s: %w", s.socket, err)
	case <-time.After(30 * time.Second):
		return nil, errors.New("the S3 server did not start")
	}
}

// socketPath is below the data directory unless that makes it too long for a
// socket's address.
func socketPath(dir string) (string, error) {
	path := filepath.Join(dir, "run", "s3.sock")
	if len(path) > 100 {
		short, err := os.MkdirTemp("", "dropstack-") // 0700
		if err != nil {
			return "", err
		}
		path = filepath.Join(short, "s3.sock")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return path, nil
}

// proxy passes requests to the socket as they came: the signature covers host,
// path and most headers.
func (s *s3Server) proxy(log *slog.Logger) http.Handler {
	dialer := &net.Dialer{}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "s3"
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", s.socket)
			},
			DisableCompression: true, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute,
		},
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Error("S3 request failed", "method", r.Method, "path", r.URL.Path, "err", err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
}

func (o *Objects) close() error {
	err := o.server.api.ShutDown()
	<-o.server.served // always an error, about the listener that was closed
	o.backend.Shutdown()
	return err
}

// asRoot makes the owner of all buckets the one who asks.
func (s *s3Server) asRoot(ctx context.Context) context.Context {
	//lint:ignore SA1029 the backend looks for this very key
	return context.WithValue(ctx, "bucket-owner", s.root)
}

func (s *s3Server) rootACL() []byte {
	acl, err := json.Marshal(auth.ACL{Owner: s.root.Access})
	if err != nil {
		panic(err) // plain data
	}
	return acl
}

// accounts lets the S3 server verify signatures with our keys. It also implements
// auth.SigningKeyProvider, the only way by which session tokens are accepted.
type accounts struct{ keys Accounts }

func (a accounts) account(access string) (auth.Account, string, error) {
	secret, token, _, ok := a.keys.Account(access)
	if !ok {
		return auth.Account{}, "", auth.ErrNoSuchUser
	}
	// until there are policies, every principal may use every bucket
	return auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}, token, nil
}

// DeriveSigningKey is the key derivation of Signature Version 4.
func (a accounts) DeriveSigningKey(access, sessionToken, date, region, service string) ([]byte, auth.Account, error) {
	acct, token, err := a.account(access)
	if err != nil {
		return nil, auth.Account{}, err
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(sessionToken)) != 1 {
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	}
	key := []byte("AWS4" + acct.Secret)
	for _, part := range []string{date, region, service, "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	acct.Secret = ""
	return key, acct, nil
}

func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	acct, _, err := a.account(access)
	return acct, err
}

func (a accounts) ResolveAccounts(ids []string) ([]string, error) {
	var missing []string
	for _, id := range ids {
		if _, _, err := a.account(id); err != nil {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

var errElsewhere = s3err.GetAPIError(s3err.ErrAdminMethodNotSupported)

func (accounts) CreateAccount(auth.Account) error                  { return errElsewhere }
func (accounts) UpdateUserAccount(string, auth.MutableProps) error { return errElsewhere }
func (accounts) DeleteUserAccount(string) error                    { return errElsewhere }
func (accounts) ListUserAccounts() ([]auth.Account, error)         { return nil, errElsewhere }
func (accounts) Shutdown() error                                   { return nil }

// full reports whether an error says that the disk is full.
func full(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return true
	}
	known, ok := errors.AsType[s3err.APIError](err)
	return ok && (known.Code == s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice).Code || known.Code == s3err.GetAPIError(s3err.ErrQuotaExceeded).Code)
}
