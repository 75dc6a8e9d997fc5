package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
)

// drops is a function that takes uploads and has them sent back.
type drops struct {
	t    *testing.T
	last upload
}

func (d *drops) Invoke(_ context.Context, inv function.Invocation) (function.Result, error) {
	e := decode[events.APIGatewayV2HTTPRequest](d.t, inv.Payload)
	out := events.APIGatewayV2HTTPResponse{StatusCode: http.StatusNoContent, Headers: map[string]string{}}
	switch {
	case e.RequestContext.HTTP.Method == http.MethodGet:
		f := d.last.Files[0]
		out.StatusCode = http.StatusOK
		out.Headers["x-dropstack-send-object"] = f.Bucket + "/" + f.Key
		out.Headers["content-type"] = f.Type
	case e.Headers["x-dropstack-upload-preflight"] == "":
		if e.IsBase64Encoded || e.Headers["content-type"] != edge.UploadType || e.Headers["x-dropstack-owner"] != "1" {
			d.t.Errorf("event: %s", inv.Payload)
		}
		d.last = decode[upload](d.t, []byte(e.Body))
		out.StatusCode, out.Body = http.StatusCreated, e.Headers["x-dropstack-upload-name"]
	}
	payload, err := json.Marshal(out)
	return function.Result{Payload: payload}, err
}

// TestThroughBothDoors takes a file in by a form and out again by a range, over a
// connection, with the gateway as the origin.
func TestThroughBothDoors(t *testing.T) {
	g := &gateway.Gateway{Invoker: &drops{t: t}, Log: slog.New(slog.DiscardHandler)}
	if err := g.Replace("drops", []gateway.API{{
		Stack: "drops", ID: arn.APIID("drops", gateway.HTTP), Kind: gateway.HTTP, Stage: "$default",
		Routes: []gateway.Route{{Method: "ANY", Path: "/{code+}", Function: "drops"}},
	}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	s, _ := taking(t, &taker{}, 0)
	s.Origins = g
	url := start(t, s)
	media, body := form(t, func(w *multipart.Writer) { addFile(t, w, "file", "shot 1.png", png) })
	res, err := http.Post(url+"/up", media, body)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 201 || string(text) != "shot%201.png" {
		t.Fatalf("got %d %s", res.StatusCode, text)
	}
	r, err := http.NewRequest("GET", url+"/raw/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", "bytes=1-3")
	if res, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ = io.ReadAll(res.Body)
	if res.StatusCode != 206 || !bytes.Equal(text, []byte("PNG")) || res.Header.Get("Content-Type") != "image/png" {
		t.Errorf("got %d %q %v", res.StatusCode, text, res.Header)
	}
}
