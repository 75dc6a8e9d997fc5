package main

import (
	"net"
	"net/http"
	"net/url"

	"github.com/dropstack/dropstack/services/wire"
)

// unlockCookie holds the token that the drops service gave for the right
// password. Its path is the drop's, so other drops never see it.
const unlockCookie = "unlock"

func viewRequest(r *http.Request, v visit, code string) wire.ViewRequest {
	req := wire.ViewRequest{Code: code, Owner: v.Owner, Peek: peeks(r), SourceIP: sourceIP(r)}
	if c, err := r.Cookie(unlockCookie); err == nil {
		req.Unlock = c.Value
	}
	return req
}

// peeks reports whether the request is not somebody looking: a HEAD, a robot
// that unfurls a link, a browser that fetches ahead.
func peeks(r *http.Request) bool {
	return r.Method == http.MethodHead || botPattern.MatchString(r.UserAgent()) ||
		r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch"
}

func sourceIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

func (p *pages) drop(w http.ResponseWriter, r *http.Request) {
	v, code := p.visit(r), r.PathValue("code")
	if !codePattern.MatchString(code) {
		p.notFound(w, r)
		return
	}
	req := viewRequest(r, v, code)
	reply, err := p.Drops.View(r.Context(), req)
	if err != nil {
		p.fail(w, r, v, err)
		return
	}
	if !p.opened(w, r, v, code, reply) {
		return
	}
	if limited(reply.Drop) {
		w.Header().Set("Cache-Control", "no-store")
		// A look that is not counted must not show what each count pays for.
		if req.Peek && !v.Owner {
			p.show(w, r, v, http.StatusOK, messagePage(v, limitedMessage))
			return
		}
	}
	if target, ok := linkTarget(reply.Drop); ok {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Robots-Tag", "noindex")
		http.Redirect(w, r, target, http.StatusFound)
		return
	}
	p.show(w, r, v, http.StatusOK, dropPage(newPoster(v, reply)))
}

// opened reports whether the reply shows a drop; otherwise it has answered.
func (p *pages) opened(w http.ResponseWriter, r *http.Request, v visit, code string, reply wire.ViewReply) bool {
	if reply.State == wire.StateOK && reply.Drop != nil {
		return true
	}
	w.Header().Set("Cache-Control", "no-store")
	switch reply.State {
	case wire.StateGone:
		p.show(w, r, v, http.StatusGone, messagePage(v, goneMessage))
	case wire.StateNeedsPassword:
		p.lock(w, r, v, http.StatusForbidden, lockForm{Code: code})
	case wire.StateWrongPassword:
		p.lock(w, r, v, http.StatusForbidden, lockForm{Code: code, Problem: "That password doesn’t open this drop. Check it with whoever sent you the link."})
	case wire.StateTooMany:
		w.Header().Set("Retry-After", "60")
		p.lock(w, r, v, http.StatusTooManyRequests, lockForm{Code: code, Problem: "Too many attempts. Wait a minute, then try again."})
	default:
		p.show(w, r, v, http.StatusNotFound, messagePage(v, notFoundMessage))
	}
	return false
}

// lock shows the password form. Browsers apply form-action to the redirects
// that follow a form too, and the drop behind may be a link to anywhere.
func (p *pages) lock(w http.ResponseWriter, r *http.Request, v visit, status int, f lockForm) {
	w.Header().Set("Content-Security-Policy", v.policy("'self' https: http:", "'none'"))
	p.show(w, r, v, status, lockPage(v, f))
}

// maxForm bounds a posted password form.
const maxForm = 16 << 10

// unlock checks a password. It only peeks: the view is counted by the page that
// it redirects to.
func (p *pages) unlock(w http.ResponseWriter, r *http.Request) {
	v, code := p.visit(r), r.PathValue("code")
	if !codePattern.MatchString(code) {
		p.notFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	password := r.PostFormValue("password")
	if password == "" {
		p.lock(w, r, v, http.StatusUnprocessableEntity, lockForm{Code: code, Problem: "Type the password first."})
		return
	}
	req := wire.ViewRequest{Code: code, Password: password, Peek: true, Owner: v.Owner, SourceIP: sourceIP(r)}
	reply, err := p.Drops.View(r.Context(), req)
	if err != nil {
		p.fail(w, r, v, err)
		return
	}
	if !p.opened(w, r, v, code, reply) {
		return
	}
	if reply.Unlock != "" {
		http.SetCookie(w, &http.Cookie{
			Name: unlockCookie, Value: reply.Unlock, Path: "/" + code,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.secure(),
		})
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/"+code, http.StatusSeeOther)
}

// embed is the drop without the page around it, for frames of other sites. What
// is private is not shown in frames: there is a link to its own page instead.
func (p *pages) embed(w http.ResponseWriter, r *http.Request) {
	v, code := p.visit(r), r.PathValue("code")
	w.Header().Set("Content-Security-Policy", v.policy("'none'", "*"))
	if !codePattern.MatchString(code) {
		p.notFound(w, r)
		return
	}
	req := viewRequest(r, v, code)
	req.Owner, req.Peek = false, true
	reply, err := p.Drops.View(r.Context(), req)
	if err != nil {
		p.fail(w, r, v, err)
		return
	}
	if reply.State != wire.StateOK || reply.Drop == nil || private(reply.Drop) {
		p.show(w, r, v, http.StatusOK, embedClosed(v, code))
		return
	}
	if !peeks(r) {
		req.Peek = false
		if reply, err = p.Drops.View(r.Context(), req); err != nil || reply.State != wire.StateOK || reply.Drop == nil {
			p.show(w, r, v, http.StatusOK, embedClosed(v, code))
			return
		}
	}
	p.show(w, r, v, http.StatusOK, embedPage(newPoster(v, reply)))
}

// limited reports whether each view uses the drop up.
func limited(d *wire.Drop) bool { return d.MaxViews > 0 }

// private reports whether previews elsewhere must stay silent about the drop.
func private(d *wire.Drop) bool {
	return d.HasPassword || limited(d) || d.Privacy != "PUBLIC"
}

// linkTarget returns where a link drop leads. Only the web's own schemes count:
// a redirect to anything else is refused and its text is shown instead.
func linkTarget(d *wire.Drop) (string, bool) {
	if d.Type != wire.TypeLink {
		return "", false
	}
	u, err := url.Parse(d.Content)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", false
	}
	return u.String(), true
}
