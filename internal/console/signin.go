package console

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// credentials are what somebody signs in with: an access key, or the token of a link.
type credentials struct {
	AccessKeyID  string `json:"accessKeyId"`
	Secret       string `json:"secretAccessKey"`
	SessionToken string `json:"sessionToken"` // of a temporary key
	Link         string `json:"link"`
}

// session is who is signed in, and what the pages need to know of the platform.
func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.about(callerOf(r.Context()).who, ""))
}

// about is what the pages are told of who signed in.
type about struct {
	Token     string    `json:"token,omitempty"` // for Header; told once
	ARN       string    `json:"arn"`
	Name      string    `json:"name"`
	Type      string    `json:"type"`
	KeyID     string    `json:"accessKeyId"`
	Account   string    `json:"account"`
	Region    string    `json:"region"`
	Endpoints Endpoints `json:"endpoints"`
}

func (s *Server) about(who iam.Principal, token string) about {
	name := who.Name
	if who.Root() {
		name = "administrator"
	}
	return about{token, who.ARN, name, string(who.Type), who.AccessKeyID, who.AccountID, s.Region, s.Endpoints}
}

// signIn begins a session. What it comes to is recorded before it is answered.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	var in credentials
	if r.Header.Get(Header) == "" { // a form of another page cannot send it
		s.refuse(w, r, fault.Errorf(fault.Invalid, "send the header %s, with any value", Header))
		return
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil {
		s.refuse(w, r, fault.Errorf(fault.Invalid, "the request's body: %w", err))
		return
	}
	who, err := s.prove(r, &in)
	if _, waits := errors.AsType[tooMany](err); waits {
		s.refuse(w, r, err) // those before it are recorded
		return
	}
	if recorded := s.recordSignIn(r, who, in, err); recorded != nil && err == nil {
		err = fault.Errorf(fault.Unavailable, "you cannot sign in while the audit log cannot be written; is the disk full?")
		s.Log.Error("sign-in not recorded", "err", recorded)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	cookie, token, err := s.begin(r.Context(), in.AccessKeyID, in.SessionToken)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	http.SetCookie(w, s.cookie(r, cookie, int(Lifetime.Seconds())))
	writeJSON(w, http.StatusOK, s.about(who, token))
}

// prove checks what somebody signs in with; of a link it fills in the access key.
func (s *Server) prove(r *http.Request, in *credentials) (iam.Principal, error) {
	if in.Link == "" {
		return s.authenticate(r, in.AccessKeyID, in.Secret, in.SessionToken)
	}
	key, err := s.redeem(r.Context(), in.Link)
	if err != nil {
		return iam.Principal{}, err
	}
	in.AccessKeyID, in.SessionToken = key, ""
	who, err := s.Authority.Holder(key, "")
	if err != nil {
		return iam.Principal{}, fault.Coded(fault.Unauthenticated, "SignInFailed", "the access key that this link was made for is no longer valid")
	}
	return who, nil
}

func (s *Server) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	}
}

// signOut ends the session, if there is one.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if _, err := s.resume(r); err == nil {
		cookie, _ := r.Cookie(s.cookieName())
		if err := s.Sessions.Delete(r.Context(), "session."+hash(cookie.Value)); err != nil {
			s.refuse(w, r, fault.Errorf(fault.Unavailable, "you are still signed in: %w", err))
			return
		}
	}
	http.SetCookie(w, s.cookie(r, "", -1))
	w.WriteHeader(http.StatusNoContent)
}

// recordSignIn writes a sign-in as CloudTrail does.
func (s *Server) recordSignIn(r *http.Request, who iam.Principal, in credentials, failed error) error {
	e := audit.Event{
		EventSource: "signin.amazonaws.com", EventName: "ConsoleLogin", EventType: "AwsConsoleSignIn", AWSRegion: s.Region,
		SourceIPAddress: address(r), UserAgent: r.UserAgent(), ResponseElements: map[string]any{"ConsoleLogin": "Success"},
		AdditionalEventData: map[string]any{"MFAUsed": "No", "byLink": in.Link != ""},
	}
	if failed != nil {
		e.ErrorMessage, e.ResponseElements = "Failed authentication", map[string]any{"ConsoleLogin": "Failure"}
	}
	return s.Record(r.Context(), who, e)
}
