package ocsf

import (
	"encoding/hex"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/audit"
)

// Version is the version of the schema.
const Version = "1.3.0"

// Classes of the category Identity & Access Management, and of Application Activity.
const (
	accountChange    = 3001
	authentication   = 3002
	authorizeSession = 3003
	entityManagement = 3004
	apiActivity      = 6003
)

// other is the activity, in every class, for events that none of the class's own activities
// describe.
const other = 99

// Values of status_id and severity_id.
const (
	success = 1
	failure = 2

	informational = 1
	low           = 2
	medium        = 3
	high          = 4
)

// meaning is the schema's way to express a kind.
type meaning struct {
	class    int
	activity int
	status   int
	severity int
	entity   string // the type of the entity in an entityManagement event
}

// meanings covers every kind. Activities by class: accountChange 3 Password Change;
// authentication 1 Logon, 2 Logoff; authorizeSession 1 Assign Privileges; entityManagement 1
// Create, 3 Update, 4 Delete; apiActivity 1 Create, 4 Delete.
var meanings = map[audit.Kind]meaning{
	audit.SessionCreated:   {authentication, 1, success, informational, ""},
	audit.SignedIn:         {authentication, 1, success, informational, ""},
	audit.SignInFailed:     {authentication, 1, failure, low, ""},
	audit.SignInBlocked:    {authentication, 1, failure, medium, ""},
	audit.SignedOut:        {authentication, 2, success, informational, ""},
	audit.SessionEnded:     {authentication, 2, success, informational, ""},
	audit.SessionReplaced:  {authentication, 2, success, informational, ""},
	audit.SessionPicked:    {authentication, other, success, informational, ""},
	audit.SessionSwitched:  {authentication, other, success, informational, ""},
	audit.UserCodeBlocked:  {authentication, other, failure, medium, ""},
	audit.ClientRefused:    {authentication, 1, failure, low, ""},
	audit.ClientBlocked:    {authentication, 1, failure, medium, ""},
	audit.AssertionReused:  {authentication, 1, failure, high, ""},
	audit.PasswordChanged:  {accountChange, 3, success, informational, ""},
	audit.UserChanged:      {accountChange, other, success, informational, ""},
	audit.ConsentGiven:     {authorizeSession, 1, success, informational, ""},
	audit.ConsentDenied:    {authorizeSession, 1, failure, informational, ""},
	audit.DeviceApproved:   {authorizeSession, 1, success, informational, ""},
	audit.DeviceDenied:     {authorizeSession, 1, failure, informational, ""},
	audit.CodeIssued:       {authorizeSession, 1, success, informational, ""},
	audit.GrantCreated:     {authorizeSession, 1, success, informational, ""},
	audit.ConsentWithdrawn: {authorizeSession, other, success, informational, ""},

	audit.TokenExchanged:    {apiActivity, 1, success, informational, ""},
	audit.TokenRevoked:      {apiActivity, 4, success, informational, ""},
	audit.FamilyRevoked:     {apiActivity, 4, success, low, ""},
	audit.CodeReplayed:      {apiActivity, other, failure, high, ""},
	audit.RefreshReused:     {apiActivity, other, failure, high, ""},
	audit.LogoutDelivered:   {apiActivity, other, success, informational, ""},
	audit.LogoutUndelivered: {apiActivity, other, failure, medium, ""},
	audit.FormRefused:       {apiActivity, other, failure, low, ""},
	audit.ErrorShown:        {apiActivity, other, failure, informational, ""},
	audit.RequestRefused:    {apiActivity, other, failure, informational, ""},
	audit.TokenErrorShown:   {apiActivity, other, failure, informational, ""},
	audit.DeviceRefused:     {apiActivity, other, failure, informational, ""},

	audit.TenantChanged:      {entityManagement, 3, success, informational, "tenant"},
	audit.ApplicationChanged: {entityManagement, 3, success, informational, "application"},
	audit.SecretRotated:      {entityManagement, 3, success, informational, "application secret"},
	audit.KeyRotated:         {entityManagement, 1, success, informational, "signing key"},
	audit.KeyOrdered:         {entityManagement, 3, success, informational, "signing key"},
	audit.KeyRevoked:         {entityManagement, 4, success, medium, "signing key"},
	audit.TrailSealed:        {entityManagement, 3, success, informational, "audit trail"},
	audit.TrailShortened:     {entityManagement, 4, success, informational, "audit trail"},
}

// Event is an event of the schema, with the attributes that the trail fills.
type Event struct {
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name,omitempty"`
	CategoryUID  int    `json:"category_uid"`
	ClassUID     int    `json:"class_uid"`
	TypeUID      int    `json:"type_uid"`
	SeverityID   int    `json:"severity_id"`
	StatusID     int    `json:"status_id"`
	StatusDetail string `json:"status_detail,omitempty"`
	Time         int64  `json:"time"` // milliseconds since 1970

	Metadata   Metadata          `json:"metadata"`
	User       *User             `json:"user,omitempty"`
	Actor      *Actor            `json:"actor,omitempty"`
	Service    *Named            `json:"service,omitempty"`
	Session    *Identified       `json:"session,omitempty"`
	Entity     *Entity           `json:"entity,omitempty"`
	API        *API              `json:"api,omitempty"`
	Privileges []string          `json:"privileges,omitempty"`
	Source     *Endpoint         `json:"src_endpoint,omitempty"`
	Unmapped   map[string]string `json:"unmapped,omitempty"`
}

// Metadata is the object metadata.
type Metadata struct {
	Version        string  `json:"version"`
	Product        Product `json:"product"`
	UID            string  `json:"uid"`
	EventCode      string  `json:"event_code"`
	LogName        string  `json:"log_name"`
	LogProvider    string  `json:"log_provider"`
	CorrelationUID string  `json:"correlation_uid,omitempty"`
	Sequence       int64   `json:"sequence,omitempty"`
}

// Product is the object product.
type Product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

// User is the object user.
type User struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
}

// Actor is the object actor: a person, and the application that acted for them.
type Actor struct {
	User   *User  `json:"user,omitempty"`
	AppUID string `json:"app_uid,omitempty"`
	App    string `json:"app_name,omitempty"`
}

// Named is an object with a name.
type Named struct {
	Name string `json:"name"`
}

// Identified is an object with an identifier.
type Identified struct {
	UID string `json:"uid"`
}

// Entity is the object managed_entity.
type Entity struct {
	Type string `json:"type"`
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
}

// API is the object api.
type API struct {
	Operation string `json:"operation"`
	Service   Named  `json:"service"`
}

// Endpoint is the object network_endpoint.
type Endpoint struct {
	IP   string `json:"ip,omitempty"`
	Name string `json:"name,omitempty"`
}

// unknown is used where the schema requires a name that the trail doesn't have.
const unknown = "unknown"

// FromRecord returns a row as an event. A kind that this version does not know becomes an API
// activity with the kind's name.
func FromRecord(r audit.Record) Event {
	m, known := meanings[r.Kind]
	if !known {
		m = meaning{class: apiActivity, activity: other, severity: informational}
	}

	e := Event{
		ActivityID:   m.activity,
		CategoryUID:  m.class / 1000,
		ClassUID:     m.class,
		TypeUID:      m.class*100 + m.activity,
		SeverityID:   m.severity,
		StatusID:     m.status,
		StatusDetail: r.Detail["error"],
		Time:         r.At.UnixMilli(),
		Metadata: Metadata{
			Version:        Version,
			Product:        Product{Name: "platform", VendorName: "platform-oauth"},
			UID:            r.ID,
			EventCode:      string(r.Kind),
			LogName:        "audit",
			LogProvider:    r.Service,
			CorrelationUID: r.Reference,
			Sequence:       r.Seq,
		},
		Unmapped: unmapped(r),
	}
	if m.activity == other {
		e.ActivityName = string(r.Kind)
	}

	if r.Address != "" {
		e.Source = &Endpoint{IP: r.Address}
	}

	if r.SessionID != "" && (m.class == authentication || m.class == authorizeSession) {
		e.Session = &Identified{UID: r.SessionID}
	}

	e.describe(r, m)
	return e
}

// describe sets what the class requires.
func (e *Event) describe(r audit.Record, m meaning) {
	person := user(r)
	switch m.class {
	case accountChange:
		e.User = required(person)
	case authentication:
		e.User, e.Service = required(person), &Named{Name: r.Service}
	case authorizeSession:
		e.User = required(person)
		e.Privileges = strings.Fields(r.Detail["scope"])
		if len(e.Privileges) == 0 {
			e.Privileges = []string{unknown}
		}
	case entityManagement:
		e.Entity = entity(r, m.entity)
	case apiActivity:
		e.API = &API{Operation: string(r.Kind), Service: Named{Name: r.Service}}
		e.Actor = &Actor{User: person, AppUID: r.ClientID}
		if person == nil && r.ClientID == "" {
			e.Actor.App = unknown
		}
		if e.Source == nil {
			e.Source = &Endpoint{Name: unknown}
		}
	}
}

func user(r audit.Record) *User {
	if r.UserID == "" && r.Account == "" {
		return nil
	}
	return &User{UID: r.UserID, Name: r.Account}
}

// required returns the user that the schema requires. When an application authenticates, that
// is the application itself.
func required(person *User) *User {
	if person == nil {
		return &User{Name: unknown}
	}
	return person
}

func entity(r audit.Record, kind string) *Entity {
	e := &Entity{Type: kind}
	switch kind {
	case "tenant":
		e.UID = r.TenantID
	case "application", "application secret":
		e.UID = r.ClientID
	case "signing key":
		e.UID, e.Name = r.Detail["kid"], r.Detail["algorithm"]
	default:
		e.Name = kind
	}

	if e.UID == "" && e.Name == "" {
		e.Name = unknown
	}

	return e
}

// unmapped returns everything that has no attribute of its own in the schema, or none that the
// class permits.
func unmapped(r audit.Record) map[string]string {
	all := map[string]string{
		"client_id":  r.ClientID,
		"tenant_id":  r.TenantID,
		"session_id": r.SessionID,
		"grant_id":   r.GrantID,
		"user_id":    r.UserID,
		"chain":      r.Chain,
		"hash":       hex.EncodeToString(r.Hash),
	}
	for name, value := range r.Detail {
		all["detail."+name] = value
	}

	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}

	return all
}
