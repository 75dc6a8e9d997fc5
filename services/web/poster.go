package main

import (
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dropstack/dropstack/services/wire"
)

const siteName = "Drops"

// kind is how the page shows a drop.
type kind uint8

const (
	kindFile  kind = iota // a download
	kindImage             // the picture itself
	kindThumb             // a picture that browsers cannot show, by its thumbnail
	kindVideo
	kindAudio
	kindText  // code or plain text
	kindProse // rendered markdown
	kindLink  // a link that must not be followed by itself
)

// poster is a drop made ready for its page.
type poster struct {
	Visit   visit
	Drop    wire.Drop
	Kind    kind
	Title   string
	Link    string // the page's own URL
	Raw     string // the bytes, on the content origin
	Save    string // the bytes on this origin, where a link may force a download
	Thumb   string // "": none
	HTML    string
	Text    string
	Private bool
}

func newPoster(v visit, reply wire.ViewReply) poster {
	d := *reply.Drop
	p := poster{
		Visit: v, Drop: d, Title: title(d), Link: shortLink(v, d),
		HTML: reply.HTML, Text: reply.Text, Private: private(&d),
	}
	raw := "/raw/" + url.PathEscape(d.Code) + "/" + url.PathEscape(fileName(d)) + "?t=" + url.QueryEscape(reply.Token)
	p.Raw, p.Save = v.Content+raw, raw
	if d.Thumbnail {
		p.Thumb = thumbURL(v, d.Code, reply.Token)
	}
	p.Kind = kindOf(d, p)
	return p
}

func kindOf(d wire.Drop, p poster) kind {
	switch d.Type {
	case wire.TypeImage:
		if shownByBrowsers(d.Media) {
			return kindImage
		}
		if p.Thumb != "" {
			return kindThumb
		}
	case wire.TypeVideo:
		return kindVideo
	case wire.TypeAudio:
		return kindAudio
	case wire.TypeLink:
		return kindLink
	case wire.TypeNote:
		if d.Variant == "markdown" && p.HTML != "" {
			return kindProse
		}
		if p.HTML != "" || p.Text != "" {
			return kindText
		}
	}
	return kindFile
}

func shownByBrowsers(media string) bool {
	base, _, _ := strings.Cut(media, ";")
	switch strings.TrimSpace(base) {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "image/apng":
		return true
	}
	return false
}

func thumbURL(v visit, code, token string) string {
	return v.Content + "/thumb/" + url.PathEscape(code) + "?t=" + url.QueryEscape(token)
}

// shortLink is the link to hand out: the drops service's, which knows about
// domains of its own, or this host's.
func shortLink(v visit, d wire.Drop) string {
	if u, err := url.Parse(d.ShortLink); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return d.ShortLink
	}
	return v.Base + "/" + d.Code
}

func (v visit) secure() bool { return strings.HasPrefix(v.Base, "https:") }

func absolute(v visit, u string) string {
	if strings.HasPrefix(u, "/") {
		return v.Base + u
	}
	return u
}

// title is the name shown: without control and direction characters, which can
// make "exe.gpj" look like something else.
func title(d wire.Drop) string {
	t := strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) && c != '\u200d' {
			return -1
		}
		return c
	}, d.Title))
	if t == "" {
		return d.Code
	}
	return t
}

// fileName is the title as one path segment.
func fileName(d wire.Drop) string {
	n := strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' {
			return '-'
		}
		return c
	}, title(d))
	if strings.Trim(n, ".") == "" {
		return d.Code
	}
	return n
}

// suffix is the file name's extension in capitals, or a word for its type.
func suffix(d wire.Drop) string {
	if e := strings.TrimPrefix(path.Ext(fileName(d)), "."); e != "" && len(e) <= 5 {
		return strings.ToUpper(e)
	}
	switch d.Type {
	case wire.TypeLink:
		return "URL"
	case wire.TypeNote:
		return "TXT"
	case "":
		return "FILE"
	}
	return strings.ToUpper(d.Type)
}

// bytesText words a size with three digits at most: 982 B, 1.4 MB, 23 GB.
func bytesText(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return strconv.FormatInt(max(n, 0), 10) + " B"
	}
	f, i := float64(n)/1000, 0
	for f >= 999.5 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	digits := 0
	if f < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + " " + units[i:i+1] + "B"
}

func durationText(ms int64) string {
	s := (ms + 500) / 1000
	pad := func(n int64) string {
		if n < 10 {
			return "0" + strconv.FormatInt(n, 10)
		}
		return strconv.FormatInt(n, 10)
	}
	if s >= 3600 {
		return strconv.FormatInt(s/3600, 10) + ":" + pad(s/60%60) + ":" + pad(s%60)
	}
	return strconv.FormatInt(s/60, 10) + ":" + pad(s%60)
}

// ago words a moment for people: just now, 5 min ago, 3 h ago, 12 Mar 2026.
func ago(ms int64) string {
	t := time.UnixMilli(ms)
	switch d := time.Since(t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return decimal(int(d/time.Minute)) + " min ago"
	case d < 24*time.Hour:
		return decimal(int(d/time.Hour)) + " h ago"
	case d < 48*time.Hour:
		return "yesterday"
	case d < 7*24*time.Hour:
		return decimal(int(d/(24*time.Hour))) + " days ago"
	}
	return t.UTC().Format("2 Jan 2006")
}

// until words how long something still lasts.
func until(t time.Time) string {
	switch d := time.Until(t); {
	case d < time.Minute:
		return "in under a minute"
	case d < 2*time.Hour:
		return "in " + decimal(int(d/time.Minute)) + " min"
	case d < 48*time.Hour:
		return "in " + decimal(int(d/time.Hour)) + " h"
	default:
		return "in " + decimal(int(d/(24*time.Hour))) + " days"
	}
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

func decimal(n int) string { return strconv.Itoa(n) }

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// facts are the small words under the title.
func (p poster) facts() []string {
	d := p.Drop
	var f []string
	if d.Width > 0 && d.Height > 0 {
		f = append(f, decimal(d.Width)+" × "+decimal(d.Height))
	}
	if d.DurationMS > 0 {
		f = append(f, durationText(d.DurationMS))
	}
	if d.Size > 0 && p.Kind != kindLink {
		f = append(f, bytesText(d.Size))
	}
	f = append(f, count(d.Views, "view", "views"))
	if left := d.MaxViews - d.Views; limited(&d) {
		f = append(f, count(max(left, 0), "view left", "views left"))
	}
	if d.ExpiresAt != nil {
		f = append(f, "expires "+until(*d.ExpiresAt))
	}
	return f
}
