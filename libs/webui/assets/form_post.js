// Sends the authorization response on (OAuth 2.0 Form Post Response Mode 2);
// the button does the same where scripts do not run. A parameter may be named
// "submit" and then hides the form's own method.
HTMLFormElement.prototype.submit.call(document.getElementById("form-post"));
