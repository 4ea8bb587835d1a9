from django.urls import path

from accounts import address_views, passkey_views, provider_views, sent_mail_views, views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/sent/", views.sign_in_sent, name="sign-in-sent"),
    path("sign-in/again/", views.sign_in_again, name="sign-in-again"),
    path("sign-in/demo/", views.demo_sign_in, name="demo-sign-in"),
    path("sign-in/provider/", provider_views.provider_sign_in, name="provider-sign-in"),
    path("sign-in/provider/answer/", provider_views.provider_answer, name="provider-answer"),
    path("sign-in/passkey/", passkey_views.passkey_sign_in, name="passkey-sign-in"),
    path("sign-in/passkey/options/", passkey_views.sign_in_options, name="passkey-sign-in-options"),
    path("sign-in/<str:token>/", views.sign_in_link, name="sign-in-link"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("welcome/", views.welcome, name="welcome"),
    path("welcome/handle/", views.handle_status, name="handle-status"),
    path("mails/", sent_mail_views.mails, name="mails"),
    path("mails/<str:name>/", sent_mail_views.mail, name="mail"),
    path("mails/<str:name>/html/", sent_mail_views.mail_html, name="mail-html"),
    path("profile/", views.profile, name="profile"),
    path("profile/address/", address_views.address, name="address"),
    path("profile/tokens/", views.create_token, name="create-token"),
    path("profile/tokens/<int:token_id>/revoke/", views.revoke_token, name="revoke-token"),
    path("profile/passkeys/", passkey_views.add_passkey, name="add-passkey"),
    path("profile/passkeys/options/", passkey_views.adding_options, name="add-passkey-options"),
    path("profile/passkeys/<int:passkey_id>/rename/", passkey_views.rename_passkey, name="rename-passkey"),
    path("profile/passkeys/<int:passkey_id>/remove/", passkey_views.remove_passkey, name="remove-passkey"),
]
