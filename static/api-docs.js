"use strict";

// Swagger UI of this server's own document. In a file of its own, so that the page needs no inline script.
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/elements/api-docs/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    persistAuthorization: false,
    validatorUrl: null, // it would send the document to somebody else's server
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
