package promapi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

// lastSend is how long the end waits for what has not been sent yet.
const lastSend = 5 * time.Second

// Targets are where samples are sent.
type Targets struct{ config config.Config }

// ReadTargets reads where samples are sent: each is a URL, or the name of a file in the
// form of prometheus.yml, of which remote_write and the external labels count. Secrets
// stand in such a file, or in another that it names: a URL with a password is refused,
// for everybody on the machine can read command lines.
func ReadTargets(list []string) (*Targets, error) {
	t := &Targets{config: config.DefaultConfig}
	for _, s := range list {
		text, dir := "", ""
		if u, err := url.Parse(s); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
			if u.Host == "" || u.User != nil {
				return nil, fault.Errorf(fault.Invalid, "%s: a URL without user and password; what needs them is written into a file in the form of prometheus.yml, whose name stands here", u.Redacted())
			}
			text = "remote_write:\n- url: " + strconv.Quote(s) + "\n  send_native_histograms: true\n"
		} else {
			doc, err := os.ReadFile(s)
			if err != nil {
				return nil, fault.Errorf(fault.Invalid, "%q is neither a URL that begins with http:// or https:// nor a file: %w", s, err)
			}
			text, dir = string(doc), filepath.Dir(s)
		}
		read, err := config.Load(text, promslog.NewNopLogger())
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%s: %w", s, err)
		}
		if len(read.RemoteWriteConfigs) == 0 {
			return nil, fault.Errorf(fault.Invalid, "%s has no remote_write", s)
		}
		for _, w := range read.RemoteWriteConfigs {
			if dir != "" {
				w.SetDirectory(dir)
			}
			w.MetadataConfig.Send = false // is that of what is scraped
			t.config.RemoteWriteConfigs = append(t.config.RemoteWriteConfigs, w)
		}
		if !read.GlobalConfig.ExternalLabels.IsEmpty() {
			t.config.GlobalConfig.ExternalLabels = read.GlobalConfig.ExternalLabels
		}
	}
	return t, nil
}

// Sender sends every sample that is written from its start on to the targets. What a
// target does not take is tried again, in order, as long as the database's log has it:
// some two hours.
type Sender struct {
	Store   *metric.Store
	Targets *Targets

	storage *remote.WriteStorage
}

// Open begins to send.
func (s *Sender) Open() error {
	s.storage = remote.NewWriteStorage(s.Store.Log.With("engine", "remote write"), s.Store.Registry(), s.Store.Dir, lastSend, nil, false)
	s.Store.Administration().SetWriteNotified(s.storage)
	if err := s.storage.ApplyConfig(&s.Targets.config); err != nil {
		return errors.Join(fmt.Errorf("send metrics: %w", err), s.storage.Close())
	}
	return nil
}

// Close sends what is left, for a while. It comes before the store's own Close.
func (s *Sender) Close() error {
	err := s.Store.Flush(context.Background())
	s.Store.Administration().SetWriteNotified(silent{})
	return errors.Join(err, s.storage.Close())
}

// silent is told of writes when nobody is.
type silent struct{}

func (silent) Notify() {}
