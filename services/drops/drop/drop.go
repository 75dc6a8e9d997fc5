// Package drop holds what a drop is: its fields, the options people give, how
// uploads are classified, and the errors that the API answers.
package drop

import (
	"crypto/rand"
	"math/big"
	"time"

	"github.com/dropstack/dropstack/services/wire"
)

// Drop is one stored drop. A zero time means never; MaxViews 0 means no limit.
type Drop struct {
	Code    string
	Version int // starts at 1, grows by one with each update
	Type    string
	Variant string
	Title   string
	Name    string // file name, "" when none was given
	Media   string // sniffed media type
	Size    int64
	SHA256  string

	Bucket string
	Key    string // object that is served; replaced once by the copy without metadata
	Target string // of a link

	Obscure       bool
	PasswordHash  string
	DeleteKeyHash string // hex SHA-256 of the delete key

	CreatedAt time.Time
	UpdatedAt time.Time
	ExpiresAt time.Time
	DeletedAt time.Time
	ViewedAt  time.Time
	Views     int64
	MaxViews  int64

	Width    int
	Height   int
	Duration time.Duration
	ThumbKey string
	HTMLKey  string
}

// ViewGrace is how long the bytes of a used-up drop stay, so that the last
// viewer's page can load them with its token.
const ViewGrace = 20 * time.Minute

// Expired reports whether the drop's time is over, or it was deleted.
func (d *Drop) Expired(now time.Time) bool {
	return !d.DeletedAt.IsZero() || !d.ExpiresAt.IsZero() && !now.Before(d.ExpiresAt)
}

// UsedUp reports whether every allowed view has been served.
func (d *Drop) UsedUp() bool { return d.MaxViews > 0 && d.Views >= d.MaxViews }

// Guarded reports whether the bytes may be had only with a token.
func (d *Drop) Guarded() bool { return d.PasswordHash != "" || d.MaxViews > 0 }

// Event is what consumers are told about the drop's present state.
func (d *Drop) Event(at time.Time) wire.DropEvent {
	e := wire.DropEvent{
		Code: d.Code, Version: d.Version, Type: d.Type, Variant: d.Variant,
		Bucket: d.Bucket, Key: d.Key, Media: d.Media, Size: d.Size, At: at.UTC(),
	}
	if d.PasswordHash == "" {
		e.Title = d.Title
	}
	return e
}

// Wire is the drop as people see it. base is the origin of links
// ("https://host"), content that of the bytes; both may be empty, which makes
// them relative.
func (d *Drop) Wire(base, content string) wire.Drop {
	w := wire.Drop{
		Code: d.Code, Type: d.Type, Variant: d.Variant, Title: d.Title, Media: d.Media, Size: d.Size,
		Privacy: "PUBLIC", HasPassword: d.PasswordHash != "",
		ShortLink: ShortLink(base, d.Code), Content: d.Target,
		CreatedAt: d.CreatedAt.UnixMilli(), Views: d.Views, MaxViews: d.MaxViews,
		Width: d.Width, Height: d.Height, DurationMS: d.Duration.Milliseconds(),
		Thumbnail: d.ThumbKey != "", Version: d.Version,
	}
	if d.Obscure {
		w.Privacy = "OBSCURE"
	}
	if d.Type != wire.TypeLink {
		w.Content = RawLink(content, d)
	}
	if !d.ExpiresAt.IsZero() {
		at := d.ExpiresAt.UTC()
		w.ExpiresAt = &at
	}
	return w
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewCode makes a code: 7 characters of base62 (3.5e12), or 16 when obscure.
// Uniqueness is the store's to decide.
func NewCode(obscure bool) string {
	if obscure {
		return Random(16)
	}
	return Random(7)
}

// Random makes n characters of base62 from the system's random source.
func Random(n int) string {
	b := make([]byte, n)
	for i := range b {
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(base62))))
		if err != nil {
			panic(err) // crypto/rand never fails since Go 1.24
		}
		b[i] = base62[k.Int64()]
	}
	return string(b)
}

// ValidCode reports whether s could be a code, so that garbage never reaches
// the store.
func ValidCode(s string) bool {
	if len(s) < 4 || len(s) > 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
