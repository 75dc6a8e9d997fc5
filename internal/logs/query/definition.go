package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// Definition is a saved query.
type Definition struct {
	QueryDefinitionID string          `json:"queryDefinitionId"`
	Name              string          `json:"name"`
	QueryString       string          `json:"queryString"`
	QueryLanguage     string          `json:"queryLanguage"`
	LastModified      int64           `json:"lastModified"` // milliseconds since 1970
	LogGroupNames     []string        `json:"logGroupNames,omitempty"`
	Parameters        json.RawMessage `json:"parameters,omitempty"` // what {{NAME}} in the query stands for; clients put it in
}

// definitions is the bucket of saved queries, opened when it is first asked for.
type definitions struct {
	mu     sync.Mutex
	bucket jetstream.KeyValue
}

// saved is how a definition is stored, by its ID.
type saved struct {
	Definition
	Token string `json:"token,omitempty"` // of the client that made it
}

func (s *Insights) saved(ctx context.Context) (jetstream.KeyValue, error) {
	d := &s.definitions
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bucket != nil {
		return d.bucket, nil
	}
	bucket, err := s.State.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "log-queries", Storage: jetstream.FileStorage})
	if err != nil {
		return nil, fmt.Errorf("open the saved queries: %w", err)
	}
	d.bucket = bucket
	return bucket, nil
}

// PutQueryDefinitionInput saves a query, in the place of another if it names that.
type PutQueryDefinitionInput struct {
	Name              string          `json:"name"`
	QueryDefinitionID string          `json:"queryDefinitionId,omitempty"`
	QueryString       string          `json:"queryString"`
	LogGroupNames     []string        `json:"logGroupNames,omitempty"`
	ClientToken       string          `json:"clientToken,omitempty"`
	QueryLanguage     string          `json:"queryLanguage,omitempty"`
	Parameters        json.RawMessage `json:"parameters,omitempty"`
}

// PutQueryDefinitionOutput names the saved query.
type PutQueryDefinitionOutput struct {
	QueryDefinitionID string `json:"queryDefinitionId"`
}

func (in PutQueryDefinitionInput) check() error {
	switch {
	case in.Name == "" || len(in.Name) > 255:
		return invalid("name: 1 to 255 letters.")
	case in.QueryString == "" || len(in.QueryString) > maxText:
		return invalid("queryString: 1 to %d letters.", maxText)
	case in.QueryLanguage != "" && in.QueryLanguage != Language:
		return invalid("Value '%s' at 'queryLanguage' is not available here: use %s.", in.QueryLanguage, Language)
	case len(in.LogGroupNames) > maxNames:
		return invalid("logGroupNames: at most %d.", maxNames)
	case strings.Contains(in.QueryString, "{{"): // a query when its parameters are known
		return nil
	}
	if _, err := Parse(in.QueryString); err != nil {
		return invalid("queryString: %v", err)
	}
	return nil
}

// PutQueryDefinition saves a query before it answers.
func (s *Insights) PutQueryDefinition(ctx context.Context, in PutQueryDefinitionInput) (PutQueryDefinitionOutput, error) {
	var out PutQueryDefinitionOutput
	if err := in.check(); err != nil {
		return out, err
	}
	bucket, err := s.saved(ctx)
	if err != nil {
		return out, err
	}
	next := saved{Token: in.ClientToken, Definition: Definition{
		QueryDefinitionID: in.QueryDefinitionID, Name: in.Name, QueryString: in.QueryString, QueryLanguage: Language,
		LastModified: time.Now().UnixMilli(), LogGroupNames: in.LogGroupNames, Parameters: in.Parameters,
	}}
	if in.QueryDefinitionID == "" {
		if next.QueryDefinitionID, err = s.savedBy(ctx, in.ClientToken); err != nil || next.QueryDefinitionID != "" {
			return PutQueryDefinitionOutput{next.QueryDefinitionID}, err
		}
		next.QueryDefinitionID = uuid.NewString()
		doc, err := json.Marshal(next)
		if err == nil {
			_, err = bucket.Create(context.WithoutCancel(ctx), next.QueryDefinitionID, doc)
		}
		return PutQueryDefinitionOutput{next.QueryDefinitionID}, err
	}
	before, err := s.definition(ctx, bucket, in.QueryDefinitionID)
	if err != nil {
		return out, err
	}
	doc, err := json.Marshal(next)
	if err != nil {
		return out, err
	}
	_, err = bucket.Update(context.WithoutCancel(ctx), in.QueryDefinitionID, doc, before.Revision())
	if errors.Is(err, jetstream.ErrKeyExists) {
		err = fault.Coded(fault.Conflict, "OperationAbortedException", "The query definition was changed at the same time.")
	}
	return PutQueryDefinitionOutput{in.QueryDefinitionID}, err
}

// savedBy is the ID of what a client saved with a token.
func (s *Insights) savedBy(ctx context.Context, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	list, err := s.allSaved(ctx)
	for _, d := range list {
		if d.Token == token {
			return d.QueryDefinitionID, err
		}
	}
	return "", err
}

// definition is what is stored of a saved query.
func (s *Insights) definition(ctx context.Context, bucket jetstream.KeyValue, id string) (jetstream.KeyValueEntry, error) {
	e, err := bucket.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, fault.Coded(fault.NotFound, "ResourceNotFoundException", "There is no query definition with the ID %q.", id)
	}
	return e, err
}

// DeleteQueryDefinitionInput names a saved query.
type DeleteQueryDefinitionInput struct {
	QueryDefinitionID string `json:"queryDefinitionId"`
}

// DeleteQueryDefinition forgets a saved query.
func (s *Insights) DeleteQueryDefinition(ctx context.Context, in DeleteQueryDefinitionInput) (StopQueryOutput, error) {
	bucket, err := s.saved(ctx)
	if err != nil {
		return StopQueryOutput{}, err
	}
	e, err := s.definition(ctx, bucket, in.QueryDefinitionID)
	if err != nil {
		return StopQueryOutput{}, err
	}
	err = bucket.Purge(context.WithoutCancel(ctx), in.QueryDefinitionID, jetstream.LastRevision(e.Revision()))
	return StopQueryOutput{Success: err == nil}, err
}

// DescribeQueryDefinitionsInput selects saved queries.
type DescribeQueryDefinitionsInput struct {
	QueryDefinitionNamePrefix string `json:"queryDefinitionNamePrefix,omitempty"`
	MaxResults                int    `json:"maxResults,omitempty"`
	NextToken                 string `json:"nextToken,omitempty"`
	QueryLanguage             string `json:"queryLanguage,omitempty"`
}

// DescribeQueryDefinitionsOutput is a page, by name.
type DescribeQueryDefinitionsOutput struct {
	QueryDefinitions []Definition `json:"queryDefinitions"`
	NextToken        string       `json:"nextToken,omitempty"`
}

// DescribeQueryDefinitions lists saved queries.
func (s *Insights) DescribeQueryDefinitions(ctx context.Context, in DescribeQueryDefinitionsInput) (DescribeQueryDefinitionsOutput, error) {
	var found []Definition
	list, err := s.allSaved(ctx)
	if err != nil {
		return DescribeQueryDefinitionsOutput{QueryDefinitions: []Definition{}}, err
	}
	for _, d := range list {
		if strings.HasPrefix(d.Name, in.QueryDefinitionNamePrefix) && (in.QueryLanguage == "" || in.QueryLanguage == Language) {
			found = append(found, d.Definition)
		}
	}
	page, next, err := pageOf(found, in.MaxResults, in.NextToken)
	return DescribeQueryDefinitionsOutput{page, next}, err
}

// allSaved are all saved queries, by name.
func (s *Insights) allSaved(ctx context.Context) (list []saved, err error) {
	bucket, err := s.saved(ctx)
	if err != nil {
		return nil, err
	}
	w, err := bucket.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // that was all
				slices.SortFunc(list, func(a, b saved) int {
					return strings.Compare(a.Name+"\x00"+a.QueryDefinitionID, b.Name+"\x00"+b.QueryDefinitionID)
				})
				return list, nil
			}
			var d saved
			if err := json.Unmarshal(e.Value(), &d); err != nil {
				return nil, fmt.Errorf("saved query %s: %w", e.Key(), err)
			}
			list = append(list, d)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
