package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	// publishEvery is how often a head that has moved is published.
	publishEvery = time.Minute
	// publishTimeout bounds one attempt.
	publishTimeout = 10 * time.Second
)

// publish starts to publish heads, if that is asked for. A head that cannot be
// published is tried again with the next one: the latest covers all before it.
func (l *Log) publish(ctx context.Context) {
	l.stop = func() {}
	if l.Heads == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = cancel
	l.done.Go(func() {
		ticker := time.NewTicker(publishEvery)
		defer ticker.Stop()
		var published uint64
		for {
			t := l.tail.Load()
			if t.Seq != published {
				if err := publishHead(ctx, l.Heads, *t); err != nil {
					l.Log.Warn("audit log: head not published; trying again", "to", redacted(l.Heads), "err", err)
				} else {
					published = t.Seq
				}
			}
			select {
			case <-ctx.Done():
				l.farewell(published)
				return
			case <-ticker.C:
			}
		}
	})
}

// farewell publishes the last head at a shutdown.
func (l *Log) farewell(published uint64) {
	t := l.tail.Load()
	if t.Seq == published {
		return
	}
	if err := publishHead(context.Background(), l.Heads, *t); err != nil {
		l.Log.Warn("audit log: last head not published", "to", redacted(l.Heads), "err", err)
	}
}

// publishHead writes a head to a directory, the latest of each hour to a file of
// its own, or posts it to a URL.
func publishHead(ctx context.Context, to string, t tail) error {
	if !isURL(to) {
		return writeFile(filepath.Join(to, "head-"+t.Time.UTC().Format("20060102T15")+".json"), t.doc)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(t.doc))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errors.Unwrap(err) // without the URL, which may hold a token
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the receiver answered %s", resp.Status)
	}
	return nil
}

func isURL(to string) bool {
	return strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://")
}

// redacted is a destination without what may be a token.
func redacted(to string) string {
	if !isURL(to) {
		return to
	}
	scheme, rest, _ := strings.Cut(to, "://")
	host, _, _ := strings.Cut(rest, "/")
	if _, after, ok := strings.Cut(host, "@"); ok {
		host = after
	}
	return scheme + "://" + host
}

// Destination checks where heads are to be published, a URL or a directory, and
// returns it in full. The directory is made.
func Destination(to string) (string, error) {
	if isURL(to) {
		u, err := url.Parse(to)
		if err == nil && u.Host == "" {
			err = errors.New("no host")
		}
		if wrong, ok := errors.AsType[*url.Error](err); ok {
			err = wrong.Err // without the URL, which may hold a token
		}
		if err != nil {
			return "", fault.Errorf(fault.Invalid, "--audit-heads %s: not a URL: %w", redacted(to), err)
		}
		return to, nil
	}
	dir, err := filepath.Abs(to)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "--audit-heads %s: neither a URL nor a directory that can be made: %w", to, err)
	}
	return dir, nil
}
