package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

const (
	// Lifetime is how long a session lasts.
	Lifetime = 12 * time.Hour
	// LinkLifetime is how long a one-time link waits to be opened.
	LinkLifetime = 15 * time.Minute

	cookieName = "dropstack_session"
	// Header is where the pages send the token of their session.
	Header = "X-Dropstack-Session"
)

// Bucket is the bucket that Sessions is to be: what is older than a session is gone.
var Bucket = jetstream.KeyValueConfig{Bucket: "console", Storage: jetstream.FileStorage, TTL: Lifetime}

// kept is a session, or a link, as stored.
type kept struct {
	Key     string    // access key ID
	Token   string    `json:",omitempty"` // that came with a temporary key; it is no use without the secret
	Header  string    `json:",omitempty"` // hash of what Header must have
	Expires time.Time // exclusive
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// begin starts a session and returns its two secrets.
func (s *Server) begin(ctx context.Context, key, token string) (cookie, header string, err error) {
	cookie, header = rand.Text(), rand.Text()
	err = s.store(ctx, "session."+hash(cookie), kept{key, token, hash(header), time.Now().Add(Lifetime)})
	return cookie, header, err
}

func (s *Server) store(ctx context.Context, name string, k kept) error {
	doc, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if _, err := s.Sessions.Create(ctx, name, doc); err != nil {
		return fmt.Errorf("store a session: %w", err)
	}
	return nil
}

// load reads what is stored, and its revision; not ok if there is none in time.
func (s *Server) load(ctx context.Context, name string) (k kept, revision uint64, ok bool, err error) {
	e, err := s.Sessions.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return kept{}, 0, false, nil
	}
	if err != nil {
		return kept{}, 0, false, fmt.Errorf("read a session: %w", err)
	}
	if err := json.Unmarshal(e.Value(), &k); err != nil {
		return kept{}, 0, false, fmt.Errorf("read a session: %w", err)
	}
	return k, e.Revision(), time.Now().Before(k.Expires), nil
}

// resume finds the session of a request. Its access key must still be valid.
func (s *Server) resume(r *http.Request) (caller, error) {
	cookie, err := r.Cookie(s.cookieName())
	header := r.Header.Get(Header)
	if err != nil || cookie.Value == "" || header == "" {
		return caller{}, errNobody
	}
	k, _, ok, err := s.load(r.Context(), "session."+hash(cookie.Value))
	if err != nil {
		return caller{}, err
	}
	if !ok || subtle.ConstantTimeCompare([]byte(hash(header)), []byte(k.Header)) != 1 {
		return caller{}, errNobody
	}
	who, err := s.Authority.Holder(k.Key, k.Token)
	if err != nil {
		return caller{}, fault.Coded(fault.Unauthenticated, "SignInRequired", "the access key that you signed in with is no longer valid; sign in with another one")
	}
	return caller{who, k.Key, k.Token}, nil
}

// cookieName is the session's cookie, of this port: a browser sends the cookies of
// all ports of a host to each of them, so two consoles would take each other's.
func (s *Server) cookieName() string {
	if _, port, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(s.Endpoints.Console, "http://"), "https://"), ":"); ok {
		return cookieName + "_" + port
	}
	return cookieName
}

// Link makes a link by which a browser signs in as the caller, once, before it
// expires.
func (s *Server) Link(ctx context.Context) (url string, expires time.Time, err error) {
	who, ok := iam.Caller(ctx)
	if !ok || who.AccessKeyID == "" {
		return "", time.Time{}, fault.Errorf(fault.Denied, "a link is for the holder of an access key")
	}
	if _, err := s.Authority.Holder(who.AccessKeyID, ""); err != nil {
		return "", time.Time{}, fault.Errorf(fault.Invalid, "a link is for the holder of an access key that lasts; sign in with the temporary key, its secret and its session token instead")
	}
	return s.LinkFor(ctx, who.AccessKeyID)
}

// LinkFor makes a link for the holder of an access key that lasts.
func (s *Server) LinkFor(ctx context.Context, accessKeyID string) (url string, expires time.Time, err error) {
	token := rand.Text()
	expires = time.Now().Add(LinkLifetime).UTC().Truncate(time.Second)
	if err := s.store(ctx, "link."+hash(token), kept{Key: accessKeyID, Expires: expires}); err != nil {
		return "", time.Time{}, err
	}
	return s.Endpoints.Console + "/#/signin?token=" + token, expires, nil
}

// redeem uses up a link. Of two who try at once, one succeeds.
func (s *Server) redeem(ctx context.Context, token string) (key string, err error) {
	name := "link." + hash(token)
	spent := fault.Coded(fault.Unauthenticated, "LinkSpent", "this link has been used or is too old; `dropstack console` makes another one")
	k, revision, ok, err := s.load(ctx, name)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", spent
	}
	if err := s.Sessions.Delete(ctx, name, jetstream.LastRevision(revision)); err != nil {
		if errors.Is(err, jetstream.ErrKeyExists) {
			return "", spent
		}
		return "", fmt.Errorf("use up a link: %w", err)
	}
	return k.Key, nil
}
