"""The target of the redirect fault: a client that follows it shows up in the list of requests."""

from flask import Blueprint, jsonify

blueprint = Blueprint("elsewhere", __name__)


@blueprint.route("/elsewhere", methods=["GET", "POST"])
def elsewhere():
    return jsonify(message="A client of Stripe must not come here.")
