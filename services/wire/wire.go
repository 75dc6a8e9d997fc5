// Package wire holds the messages that the services send each other, by topic
// and by direct invocation. It is their only shared code.
package wire

import "time"

// Topics that the drops service publishes. The message body is a DropEvent.
const (
	TopicDropCreated = "drop-created"
	TopicDropUpdated = "drop-updated"
	TopicDropDeleted = "drop-deleted"
)

// DropEvent is what happened to one drop. (Code, Version) identifies the state
// of the drop that the event speaks of; consumers are idempotent by it.
type DropEvent struct {
	Code    string    `json:"code"`
	Version int       `json:"version"`
	Type    string    `json:"type"`
	Variant string    `json:"variant,omitempty"`
	Bucket  string    `json:"bucket,omitempty"`
	Key     string    `json:"key,omitempty"`
	Title   string    `json:"title,omitempty"`
	Media   string    `json:"mediaType,omitempty"`
	Size    int64     `json:"size,omitempty"`
	At      time.Time `json:"at"`
}

// Types of drop.
const (
	TypeImage = "image"
	TypeVideo = "video"
	TypeAudio = "audio"
	TypeNote  = "note" // text: Variant is plain, markdown or code
	TypeLink  = "link"
	TypeFile  = "file"
)

// Drop is a drop as people and other services see it.
type Drop struct {
	Code        string     `json:"code"`
	Type        string     `json:"type"`
	Variant     string     `json:"variant,omitempty"`
	Title       string     `json:"title"`
	Media       string     `json:"mediaType,omitempty"`
	Size        int64      `json:"size"`
	Privacy     string     `json:"privacy"` // PUBLIC (short code) or OBSCURE (16 characters)
	HasPassword bool       `json:"hasPassword,omitempty"`
	ShortLink   string     `json:"shortlink,omitempty"`
	Content     string     `json:"content,omitempty"` // URL of the bytes, or the link's target
	CreatedAt   int64      `json:"createdAt"`         // milliseconds since 1970
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
	Views       int64      `json:"views"`
	MaxViews    int64      `json:"maxViews,omitempty"`
	Width       int        `json:"width,omitempty"`
	Height      int        `json:"height,omitempty"`
	DurationMS  int64      `json:"durationMs,omitempty"`
	Thumbnail   bool       `json:"thumbnail,omitempty"` // a thumbnail is ready
	Version     int        `json:"version"`
}

// States of a ViewReply.
const (
	StateOK            = "ok"
	StateNotFound      = "notFound"
	StateGone          = "gone" // expired, used up or deleted
	StateNeedsPassword = "needsPassword"
	StateWrongPassword = "wrongPassword"
	StateTooMany       = "tooManyAttempts"
)

// ViewRequest asks the drops service's viewDrop function for one view of a drop.
type ViewRequest struct {
	Code     string `json:"code"`
	Password string `json:"password,omitempty"`
	Unlock   string `json:"unlock,omitempty"` // token of an earlier reply, from the viewer's cookie
	Owner    bool   `json:"owner,omitempty"`  // the owner's own looks are not counted
	Peek     bool   `json:"peek,omitempty"`   // do not count this as a view (HEAD, oEmbed, robots)
	SourceIP string `json:"sourceIp,omitempty"`
}

// ViewReply is the answer. Token signs the paths /raw/CODE and /thumb/CODE for
// this viewer for a few minutes, so that showing the page is one view.
type ViewReply struct {
	State  string `json:"state"`
	Drop   *Drop  `json:"drop,omitempty"`
	Token  string `json:"token,omitempty"`
	Unlock string `json:"unlock,omitempty"` // set as a cookie after the right password
	HTML   string `json:"html,omitempty"`   // sanitised rendering of a note, when ready
	Text   string `json:"text,omitempty"`   // the note itself when it is small and not rendered yet
}

// ListRequest asks listDrops for the owner's newest drops.
type ListRequest struct {
	Offset int    `json:"offset,omitempty"`
	Amount int    `json:"amount,omitempty"` // default 50, at most 100
	Type   string `json:"type,omitempty"`
	Query  string `json:"query,omitempty"` // words in the title
}

// ListReply holds one page of drops, newest first, and the total.
type ListReply struct {
	Drops    []Drop     `json:"drops"`
	Tokens   []string   `json:"tokens"` // one a drop, as ViewReply.Token
	Total    int        `json:"total"`
	Activity []Activity `json:"activity,omitempty"`
}

// Activity is one line of the activity feed.
type Activity struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	What  string `json:"what"` // created, updated, deleted
	At    int64  `json:"at"`   // milliseconds since 1970
}

// TokenParam is the query parameter that carries ViewReply.Token:
// /raw/CODE?t=TOKEN, /thumb/CODE?t=TOKEN. &download=1 makes /raw an attachment.
const TokenParam = "t"
