package notify

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
)

// mailTemplates are "dropstack.text" and "dropstack.html".
//
//go:embed mail.tmpl
var mailTemplates string

// letter is a mail.
type letter struct {
	from       *mail.Address
	to         []*mail.Address
	id, root   string // Message-IDs of it, and of the first of its thread; "": it is the first
	headers    map[string]string
	text, html string
}

// compose writes the mail, in the words of the configuration where it has some.
func (s *mailSender) compose(data *template.Data) (*letter, error) {
	l := &letter{headers: map[string]string{}}
	var failed error
	own := func(text string) string {
		out, err := s.tmpl.ExecuteTextString(text, data)
		if err != nil && failed == nil {
			failed = fmt.Errorf("a template of email_configs: %w", err)
		}
		return out
	}
	from, to := own(s.conf.From), own(s.conf.To)
	l.headers["Subject"] = subject(data)
	for name, value := range s.conf.Headers {
		l.headers[name] = own(value)
	}
	l.text, l.html = own(s.conf.Text), ""
	html := s.conf.HTML
	if html == config.DefaultEmailConfig.HTML {
		html = `{{ template "dropstack.html" . }}`
		if l.text == "" {
			l.text = own(`{{ template "dropstack.text" . }}`)
		}
	}
	var err error
	if l.html, err = s.tmpl.ExecuteHTMLString(html, data); err != nil && failed == nil {
		failed = fmt.Errorf("a template of email_configs: %w", err)
	}
	if failed != nil {
		return nil, failed
	}
	l.from, l.to, err = addresses(from, to)
	return l, err
}

// subject is the headline without colours: "[2 firing] ErrorRatio: hello". It stays the
// same but for its brackets, which mail programs that go by subjects pass over.
func subject(d *template.Data) string {
	if n := len(d.Alerts.Firing()); n > 0 {
		return shorten(fmt.Sprintf("[%d firing] %s", n, called(d)), maxHeader)
	}
	return shorten("[resolved] "+called(d), maxHeader)
}

// bytes is the mail on the wire.
func (l *letter) bytes() []byte {
	var b bytes.Buffer
	head := func(name, value string) {
		b.WriteString(name + ": " + strings.NewReplacer("\r", "", "\n", " ").Replace(value) + "\r\n")
	}
	var to []string
	for _, a := range l.to {
		to = append(to, a.String())
	}
	own := map[string]string{
		"From": l.from.String(), "To": strings.Join(to, ", "), "Date": time.Now().Format(time.RFC1123Z),
		"Message-Id": l.id, "Mime-Version": "1.0", "Auto-Submitted": "auto-generated",
	}
	if l.root != "" {
		own["References"], own["In-Reply-To"] = l.root, l.root
	}
	parts := multipart.NewWriter(&b)
	own["Content-Type"] = "multipart/alternative; boundary=" + parts.Boundary()
	for _, name := range slices.Sorted(maps.Keys(l.headers)) {
		if own[name] == "" {
			head(name, mime.QEncoding.Encode("utf-8", l.headers[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		head(name, own[name])
	}
	b.WriteString("\r\n")
	for _, p := range []struct{ kind, body string }{{"text/plain", l.text}, {"text/html", l.html}} { // the best one last
		if p.body == "" {
			continue
		}
		w, _ := parts.CreatePart(textproto.MIMEHeader{ // into memory
			"Content-Type": {p.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"},
		})
		q := quotedprintable.NewWriter(w)
		_, _ = q.Write([]byte(p.body))
		_ = q.Close()
	}
	_ = parts.Close()
	return b.Bytes()
}
